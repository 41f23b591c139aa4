"""What the invented companies and people are made of."""

# City, region, country, dialling prefix and range of numbers reserved for fiction: NANPA 555-0100…0199, Ofcom's
# drama numbers (London 020 7946 0xxx); None where no range is known to be reserved.
CITIES = {
    "Austin": ("Texas", "United States", "+1 512-555-01"),
    "Boston": ("Massachusetts", "United States", "+1 617-555-01"),
    "Denver": ("Colorado", "United States", "+1 303-555-01"),
    "Washington": ("District of Columbia", "United States", "+1 202-555-01"),
    "Toronto": ("Ontario", "Canada", "+1 416-555-01"),
    "London": ("England", "United Kingdom", "+44 20 7946 09"),
    "Berlin": ("Berlin", "Germany", None),
    "Lyon": ("Auvergne-Rhône-Alpes", "France", None),
    "Madrid": ("Community of Madrid", "Spain", None),
    "Gothenburg": ("Västra Götaland", "Sweden", None),
    "Warsaw": ("Masovia", "Poland", None),
    "Athens": ("Attica", "Greece", None),
    "Istanbul": ("Istanbul", "Turkey", None),
    "Lagos": ("Lagos", "Nigeria", None),
    "Nairobi": ("Nairobi County", "Kenya", None),
    "Cairo": ("Cairo", "Egypt", None),
    "Bengaluru": ("Karnataka", "India", None),
    "Singapore": ("Singapore", "Singapore", None),
    "Tokyo": ("Tokyo", "Japan", None),
    "Seoul": ("Seoul", "South Korea", None),
    "São Paulo": ("São Paulo", "Brazil", None),
    "Mexico City": ("Mexico City", "Mexico", None),
    "Melbourne": ("Victoria", "Australia", None),
    "Amsterdam": ("North Holland", "Netherlands", None),
}

# Where a company sits decides whose names most of its people have.
CULTURES = {
    "English": ("Austin", "Boston", "Denver", "Washington", "Toronto", "London", "Melbourne"),
    "German": ("Berlin",),
    "French": ("Lyon",),
    "Spanish": ("Madrid", "Mexico City"),
    "Nordic": ("Gothenburg",),
    "Polish": ("Warsaw",),
    "Greek": ("Athens",),
    "Turkish": ("Istanbul",),
    "West African": ("Lagos",),
    "East African": ("Nairobi",),
    "Arabic": ("Cairo",),
    "Indian": ("Bengaluru",),
    "Chinese": ("Singapore",),
    "Japanese": ("Tokyo",),
    "Korean": ("Seoul",),
    "Portuguese": ("São Paulo",),
    "Dutch": ("Amsterdam",),
}

FIRST_NAMES = {
    "English": "Amelia Oliver Grace Henry Isla Jack Ruby Theo Clara Miles Nora Edwin",
    "German": "Lukas Käthe Jürgen Anneliese Björn Mareike Günther Sönke",
    "French": "Élodie Gaël Noémie Loïc Chloé Benoît Zoé Rémi",
    "Spanish": "José_María Lucía Iñaki Begoña Álvaro Ximena Martín Inés",
    "Nordic": "Åsa Björn Sören Maja Håkan Linnéa Øystein Freja",
    "Polish": "Łukasz Małgorzata Paweł Żaneta Grzegorz Agnieszka",
    "Greek": "Eleni Nikos Katerina Giorgos Despina Stavros",
    "Turkish": "Gülşen Ömer Çağla Emre İpek Tuğba",
    "West African": "Amara Chinedu Ngozi Tunde Folake Emeka",
    "East African": "Wanjiku Otieno Achieng Kamau Njeri Barasa",
    "Arabic": "Layla Youssef Nour Karim Salma Tarek",
    "Indian": "Ananya Rohan Priya Arjun Meera Vikram",
    "Chinese": "Mei_Ling Wei Xiu Jian Hui_Min Kai",
    "Japanese": "Haruka Kenji Yui Sota Akane Ryo",
    "Korean": "Ji-woo Min-jun Seo-yeon Do-hyun Ha-eun Tae-yang",
    "Portuguese": "João Conceição Thiago Inês Caetano Lívia",
    "Dutch": "Sanne Daan Femke Thijs Lotte Joris",
}

LAST_NAMES = {
    "English": "Ashworth O'Brien Whitlock Fairbanks St._John Hollis Pemberton Smith-Jones Okeford Ravensdale Doe Merriweather",
    "German": "Müller-Lüdenscheidt von_der_Heide Größmann Schönfeld Kühnast Weißbach",
    "French": "de_La_Roche Lefèvre D'Arcy Beauchêne Garçon Maître",
    "Spanish": "de_la_Cruz Núñez Ibáñez García_Márquez Peñalver Zúñiga",
    "Nordic": "Lindqvist Ångström Sørensen Björklund Håkansson Østergaard",
    "Polish": "Wójcik Źródłowska Kowalczyk Dąbrowski Świątek",
    "Greek": "Papadakis Theodorou Kalogeras Stamatiou Vlachou",
    "Turkish": "Yıldırım Çelik Özdemir Şahin Güneş",
    "West African": "Okafor Adeyemi Nwosu Balogun Eze",
    "East African": "Mwangi Odhiambo Kiplagat Wafula Njoroge",
    "Arabic": "El-Sayed Al-Masri Haddad Mansour Khalil",
    "Indian": "Iyer Deshpande Chatterjee Reddy Kulkarni",
    "Chinese": "Tan Lim Ouyang Zhang Koh",
    "Japanese": "Takahashi Ishikawa Matsumoto Kobayashi Fujita",
    "Korean": "Kim Park Seo Han Yoon",
    "Portuguese": "Gonçalves da_Conceição Araújo Magalhães Falcão",
    "Dutch": "van_der_Berg de_Vries ter_Horst Bakker van_'t_Hof",
}

ORIGINAL_NAMES = {
    "Eleni Papadakis": "Ελένη Παπαδάκη",
    "Haruka Takahashi": "高橋 春香",
    "Layla Mansour": "ليلى منصور",
    "Wei Zhang": "张伟",
    "Ji-woo Kim": "김지우",
}

# Industry: the words that companies of it are named with, and the skills of their specialists.
INDUSTRIES = {
    "Software": (("Cloudberry", "Bitloom", "Stackwell"), "Python;PostgreSQL;Kubernetes;API design"),
    "Logistics": (("Northwind", "Harbourline", "Fleetfox"), "Route planning;Customs;Warehouse management"),
    "Renewable Energy": (("Sunmeadow", "Tidewright", "Windrose"), "Photovoltaics;Grid planning;Project finance"),
    "Medical Devices": (("Carewell", "Pulsebridge", "Medigrove"), "ISO 13485;Clinical evaluation;Risk management"),
    "Food Production": (("Goldenfield", "Oliveto", "Breadhouse"), "HACCP;Supply chain;Product development"),
    "Financial Services": (("Ledgerstone", "Coinharbour", "Trustbrook"), "Risk modelling;Compliance;Payments"),
    "Industrial Machinery": (("Ironvale", "Cogsmith", "Steelarch"), "CAD;Lean manufacturing;Predictive maintenance"),
    "Education": (("Brightpath", "Lernwerk", "Chalkway"), "Curriculum design;E-learning;Assessment"),
}

SIZES = {"11-50": (12, 48), "51-200": (60, 190), "201-500": (220, 480), "501-1000": (520, 940)}

# Department: its titles by seniority, and its skills where the industry has none to give.
DEPARTMENTS = {
    "Sales": (
        {
            "vp": "VP of Sales",
            "director": "Sales Director",
            "manager": "Account Manager",
            "senior": "Senior Sales Executive",
            "entry": "Sales Development Representative",
        },
        "Negotiation;CRM;Forecasting",
    ),
    "Marketing": (
        {
            "vp": "VP of Marketing",
            "director": "Marketing Director",
            "manager": "Content Manager",
            "senior": "Senior Brand Strategist",
            "entry": "Marketing Assistant",
        },
        "Positioning;SEO;Events",
    ),
    "Engineering": (
        {
            "cxo": "Chief Technology Officer",
            "director": "Director of Engineering",
            "manager": "Engineering Manager",
            "senior": "Senior Engineer",
            "entry": "Junior Engineer",
        },
        None,
    ),
    "Operations": (
        {
            "cxo": "Chief Operating Officer",
            "director": "Operations Director",
            "manager": "Operations Manager",
            "senior": "Senior Operations Analyst",
            "entry": "Operations Coordinator",
        },
        None,
    ),
    "Finance": (
        {
            "cxo": "Chief Financial Officer",
            "manager": "Finance Manager",
            "senior": "Senior Controller",
            "entry": "Accountant",
        },
        "Reporting;Budgeting;Audit",
    ),
    "Human Resources": (
        {"director": "People Director", "manager": "HR Manager", "senior": "Senior Recruiter", "entry": "HR Assistant"},
        "Hiring;Onboarding;Labour law",
    ),
}
