"""An import of new people beside those who are known already."""

import hashlib
import statistics

from bench.deployment import Deployment
from bench.figure import Figure

ROWS, ROUNDS = 50_000, 3
HEADER = "linkedin_url,first_name,last_name,email,job_title,city,country,company_name,company_domain\n"


def fill(deployment: Deployment, people: int) -> None:
    """Puts people in until there are so many; their keys lie at random in every index, as those of real people do."""
    deployment.sql(
        """insert into people (id, identity, email, name_key, company_domain, company_key, data)
           select 'per_' || n, 'in:' || slug, slug || '@' || domain, 'first last ' || slug, domain, 'company',
                  jsonb_build_object(
                      'linkedin_url', 'https://www.linkedin.com/in/' || slug, 'first_name', 'First',
                      'last_name', 'Last ' || slug, 'full_name', 'First Last ' || slug, 'job_title', 'CEO',
                      'email', slug || '@' || domain, 'emails', jsonb_build_array(jsonb_build_object('email', slug)),
                      'location', jsonb_build_object('city', 'Berlin', 'region', null, 'country', 'Germany',
                                                     'country_code', 'DE'),
                      'company', jsonb_build_object('name', 'Company', 'domain', domain))
           from generate_series((select count(*) from people) + 1, $1) n,
                lateral (select md5(n::text) as slug, 'm' || n % 9973 || '.example.com' as domain) as keys""",
        people,
    )
    deployment.sql("analyze people")


def rate(deployment: Deployment, name: str) -> float:
    """Rows a second of an import of new people: the median of ROUNDS."""
    rates: list[float] = []
    for turn in range(ROUNDS):
        file = deployment.folder / f"{name}{turn}.csv"
        with file.open("w") as opened:
            opened.write(HEADER)
            for n in range(ROWS):
                slug = hashlib.md5(f"{file.name}{n}".encode()).hexdigest()
                domain = f"m{n % 9973}.example.com"
                opened.write(f"in/{slug},First,Last {slug},{slug}@{domain},CEO,Berlin,Germany,Company,{domain}\n")
        result = deployment.cli("import", "people", str(file))
        assert result["created"] == ROWS, result
        rates.append(ROWS / result["seconds"])
    return statistics.median(rates)


def figure(deployment: Deployment, people: int = 100_000, times: int = 10) -> Figure:
    fill(deployment, people)
    small = rate(deployment, "small")
    fill(deployment, people * times)
    large = rate(deployment, "large")
    return Figure(f"import beside {people:,} people (rows a second)", large, small, large / small, "≥ 0.7")
