"""Which columns are understood, and the field that each one fills.

Beside our own flat names, those of People Data Labs' person and company schemas
(https://docs.peopledatalabs.com/docs/fields, https://docs.peopledatalabs.com/docs/company-schema).
"""

PEOPLE: dict[str, tuple[str, ...]] = {
    "linkedin_url": ("linkedin_url",),
    "former_linkedin_urls": ("former_linkedin_urls", "profiles"),
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "full_name": ("full_name",),
    "headline": ("headline",),
    "job_title": ("job_title",),
    "seniority": ("seniority", "job_title_levels"),
    "department": ("department", "job_title_role"),
    "email": ("email", "work_email", "recommended_personal_email", "emails"),
    "phone": ("phone", "mobile_phone", "phone_numbers"),
    "city": ("city", "location_locality"),
    "region": ("region", "location_region"),
    "country": ("country", "location_country"),
    "company_name": ("company_name", "job_company_name"),
    "company_domain": ("company_domain", "job_company_website"),
    "company_linkedin_url": ("company_linkedin_url", "job_company_linkedin_url"),
    "industry": ("industry", "job_company_industry"),
    "company_size": ("company_size", "job_company_size"),
    "skills": ("skills",),
    "experience": ("experience",),
    "education": ("education",),
}

COMPANIES: dict[str, tuple[str, ...]] = {
    "name": ("name", "display_name"),
    "domain": ("domain", "website"),
    "website": ("website",),
    "linkedin_url": ("linkedin_url",),
    "industry": ("industry",),
    "size": ("size",),
    "employee_count": ("employee_count",),
    "founded_year": ("founded_year", "founded"),
    "type": ("type",),
    "description": ("description", "summary"),
    "city": ("city", "locality"),
    "region": ("region",),
    "country": ("country",),
    "location": ("location",),
    "phone": ("phone",),
    "technologies": ("technologies", "tags"),
}
