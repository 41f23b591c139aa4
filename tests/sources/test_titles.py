"""What titles say, as somebody who reads them would."""

import pytest

from addtocrm.sources import titles

# The title, the seniority and the department, `-` where it says none.
SAID = """
CEO | cxo | -
Chief Executive Officer | cxo | -
Chief Executive | cxo | -
CEO & Founder | owner | -
Co-Founder | owner | -
Co-Founder/CTO | owner | Engineering
Founder | owner | -
Founder's Office | - | -
Founders Associate | - | -
Founding Engineer | - | Engineering
Founding Partner | partner | -
Owner | owner | -
Owner/Operator | owner | -
Owner Operator | owner | -
Business Owner | owner | -
Small Business Owner | owner | -
Restaurant Owner | owner | -
Co-Owner | owner | -
President & Owner | owner | -
Owner, Smith Plumbing | owner | -
Product Owner | - | Product
Senior Product Owner | senior | Product
Process Owner | - | -
System Owner | - | -
Data Owner | - | Data
Scrum Product Owner | - | Product
Homeowner Association Manager | manager | -
Owner Relations Manager | manager | -
Self-employed | owner | -
Proprietor | owner | -
Partner | partner | -
Managing Partner | partner | -
General Partner | partner | -
Senior Partner | partner | -
Equity Partner | partner | -
Tax Partner | partner | Finance
Partner at Baker Law LLP | partner | -
Partner, Litigation | partner | -
Associate Partner | partner | -
HR Business Partner | - | Human Resources
Senior HR Business Partner | senior | Human Resources
Business Partner | - | -
Finance Business Partner | - | Finance
People Partner | - | Human Resources
Talent Partner | - | Human Resources
Channel Partner Manager | manager | -
Partner Marketing Manager | manager | Marketing
Partner Account Manager | manager | Sales
Partner Success Manager | manager | -
Partner Marketing | - | Marketing
Director of Partner Sales | director | Sales
VP, Partner Development | vp | -
Solutions Partner Engineer | - | Engineering
CFO | cxo | Finance
Chief Financial Officer | cxo | Finance
CTO EMEA | cxo | Engineering
CIO | cxo | Engineering
CISO | cxo | Engineering
CMO | cxo | Marketing
COO | cxo | Operations
Chief Revenue Officer | cxo | Sales
Chief People Officer | cxo | Human Resources
Deputy CEO | cxo | -
Interim CFO | cxo | Finance
Managing Director | cxo | -
MD | cxo | -
MD, Acme Ltd | cxo | -
President | cxo | -
President and CEO | cxo | -
President, North America | cxo | -
CEO and Board Member | cxo | -
Presidential Advisor | - | -
Student Body President | - | -
Chief of Staff | - | -
Chief of Staff to the CEO | - | -
Chief of Police | - | -
Fire Chief | - | -
Chief Engineer | - | Engineering
Chief Warrant Officer | - | -
CIO Advisory Manager | manager | Engineering
Assistant to the CEO | - | -
Executive Assistant | - | -
Executive Assistant to the CEO | - | -
Executive Assistant to the CEO and CFO | - | -
EA to the CEO & Founder | - | -
Assistant to the President | - | -
Personal Assistant to Managing Director | - | -
CEO Assistant | entry | -
Office of the CEO | - | -
Special Advisor to the Owner | - | -
Senior Advisor to the President | senior | -
Secretary to the Director | - | -
Former CEO | - | -
Ex-CEO | - | -
Ex CEO and Founder | - | -
Retired Partner | - | -
CEO (Retired) | - | -
Professor Emeritus | - | -
Past President | - | -
President-Elect | - | -
Aspiring Product Manager | - | -
Advisor, former VP Sales | - | -
Former VP | Founder at Acme | owner | -
Director of Sales, ex-Google | director | Sales
Staff Physician, MD | - | Health
John Roe, MD | - | -
MD PhD | - | -
Cardiologist, MD, FACC | - | -
Resident Physician MD | - | Health
Medical Director, M.D. | director | Health
Physician Assistant | - | Health
VP Sales | vp | Sales
SVP, Marketing | vp | Marketing
Executive Vice President | vp | -
Assistant Vice President | vp | -
Associate Vice President of Finance | vp | Finance
VP of People | vp | Human Resources
V.P. Engineering | vp | Engineering
VP of Sales and Marketing | vp | Sales
VP & General Manager | vp | -
Vice President of Product | vp | Product
Director | director | -
Sales Director | director | Sales
Director, Product Marketing | director | Marketing
Director of Data Science | director | Data
Deputy Director | director | -
Vice Director | director | -
Assistant Director | director | -
Associate Director | director | -
Associate Director, Regulatory Affairs | director | -
Executive Director | director | -
Art Director | director | -
Creative Director | director | Design
Non-Executive Director | - | -
Independent Director | - | -
Funeral Director | - | -
Member of the Board of Directors | - | -
Head of Sales | director | Sales
Head of People & Culture | director | Human Resources
Head, Customer Success | director | Customer Success
Global Head of Talent Acquisition | director | Human Resources
Department Head | director | -
Head Marketing | director | Marketing
Head of Product | director | Product
Head Chef | - | -
Head Nurse | - | Health
Head Teacher | - | Education
Head Coach | - | -
Head Bartender | - | -
Head Office Receptionist | - | -
Sous Chef | - | -
Manager | manager | -
General Manager | manager | -
Account Manager | manager | Sales
Senior Account Manager | manager | Sales
Product Manager | manager | Product
Senior Product Manager | manager | Product
Associate Product Manager | entry | Product
Project Manager | manager | -
Office Manager | manager | -
Assistant Manager | manager | -
Assistant Store Manager | manager | -
People Manager | manager | -
Engineering Manager | manager | Engineering
Volunteer Manager | manager | -
Manager-in-training | training | -
Manager in Training | training | -
Management Trainee | training | -
Shift Supervisor | manager | -
Team Leader | manager | -
Team Lead | manager | -
Sales Lead | manager | Sales
Technical Lead | manager | -
Lead Engineer | senior | Engineering
Lead UX Designer | senior | Design
Lead Generation Specialist | - | -
Lead Gen Consultant | - | -
Lead Generation Manager | manager | -
Lead Guitarist | - | -
Senior Software Engineer | senior | Engineering
Sr. Accountant | senior | Finance
Software Engineer Sr. | senior | Engineering
Senior Associate | senior | -
Senior Sales Representative | senior | Sales
Principal Engineer | senior | Engineering
Principal Consultant | senior | -
Principal Data Scientist | senior | Data
Principal | - | -
School Principal | - | Education
Principal, Lincoln High School | - | -
Vice Principal | - | -
Staff Engineer | senior | Engineering
Staff Software Engineer | senior | Engineering
Staff Nurse | - | Health
Staff Writer | - | -
Staff Accountant | - | Finance
Distinguished Engineer | senior | Engineering
Senior Living Advisor | - | -
Senior Living Director | director | -
Senior Care Nurse | - | Health
Senior High School Teacher | - | Education
High School Senior | - | -
Junior Developer | entry | Engineering
Junior Account Manager | entry | Sales
Junior High School Teacher | - | Education
Junior Partner | partner | -
Graduate Engineer | entry | Engineering
Associate Software Engineer | entry | Engineering
Associate | - | -
Associate Professor | - | Education
Assistant Professor | - | Education
Associate Attorney | - | Legal
Sales Associate | entry | Sales
Sales Representative | entry | Sales
SDR | entry | Sales
Marketing Coordinator | entry | Marketing
Volunteer Coordinator | entry | -
Administrative Assistant | entry | -
Legal Assistant | entry | Legal
Clerk | entry | -
Law Clerk | - | -
Data Entry Clerk | entry | -
Marketing Intern | training | Marketing
Intern | training | -
Software Engineering Intern | training | Engineering
Internal Auditor | - | Finance
International Sales Executive | - | Sales
Internship Coordinator | entry | -
Intern Program Manager | manager | -
Apprentice Electrician | training | -
Student | training | -
Student at MIT | training | -
PhD Student | training | -
Student Nurse | training | Health
Student Advisor | - | -
Student Success Manager | manager | -
Director of Student Affairs | director | -
Volunteer | unpaid | -
Volunteer Firefighter | unpaid | -
Board Member | unpaid | -
Freelance Writer | - | -
Software Engineer | - | Engineering
Design Engineer | - | Engineering
Product Engineer | - | Engineering
Product Designer | - | Design
Sales Engineer | - | Sales
UX Researcher | - | Design
Interior Designer | - | Design
Architect | - | -
Solutions Architect | - | Engineering
Data Engineer | - | Data
Data Analyst | - | Data
Data Center Technician | - | -
Security Guard | - | -
Information Security Analyst | - | Engineering
IT Support Specialist | - | Engineering
Support Worker | - | -
Customer Support Agent | - | Customer Success
Commercial Pilot | - | -
Commercial Director | director | Sales
Revenue Accountant | - | Finance
Accounts Payable Specialist | - | Finance
Operating Room Nurse | - | Health
Operating Partner | partner | -
Production Manager | manager | -
Talent Agent | - | -
Recruiter | - | Human Resources
Nurse | - | Health
Registered Nurse | - | Health
Teacher | - | Education
General Counsel | - | Legal
Attorney at Law | - | Legal
School Counselor | - | -
Purchasing Manager | manager | Operations
Business Development Executive | - | Sales
Go-to-Market Director | director | -
Business to Business Sales Manager | manager | Sales
Consultant | - | -
Chief Product & Technology Officer | cxo | Product
Chief Marketing and Sales Officer | cxo | Sales
Owner & Chief Executive Officer | owner | -
President & CEO | cxo | -
Chairman & CEO | cxo | -
Vice Chair | - | -
Partner & Head of Tax | partner | Finance
Managing Director & Partner | partner | -
Owner's Representative | entry | -
Director's Assistant | entry | -
President's Club Winner | - | -
Trainee Manager | training | -
Product Manager Intern | training | Product
Teaching Assistant | entry | -
Commercial Real Estate Attorney | - | Legal
Data Center Engineer | - | Engineering
Chief Accountant | - | Finance
Regional Sales Manager | manager | Sales
Senior Director | director | -
Senior Lecturer | senior | Education
Lead Teacher | - | Education
Director (Interim) | director | -
Geschäftsführer | - | -
"""
TITLES = [tuple(part.strip() for part in line.rsplit("|", 2)) for line in SAID.strip().splitlines()]


@pytest.mark.parametrize(("title", "seniority", "department"), TITLES)
def test_a_title_says_a_seniority_and_a_department_or_none(title: str, seniority: str, department: str) -> None:
    assert (titles.seniority(title) or "-", titles.department(title) or "-") == (seniority, department)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("VP Sales", "Vice President of Sales", True),
        ("Sales, VP", "VP Sales", True),
        ("MD", "Managing Director", True),
        ("Physician, MD", "Physician", True),
        ("Team Lead", "Team Leader", True),
        ("Product Owner", "Owner", False),
    ],
)
def test_titles_in_other_words_have_the_same_words(one: str, other: str, same: bool) -> None:
    assert (sorted(titles.words(one)) == sorted(titles.words(other))) is same
