"""Words that say which legal form a company has. `identifiers.company_key`, which tables have, is made with them: one
that is added here needs a migration."""

LEGAL = frozenset(
    (
        *("inc", "incorporated", "corp", "corporation", "co", "company", "llc", "llp", "lp", "ltd", "limited"),
        *("plc", "gmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ug", "se", "sa", "sas", "sarl", "srl", "spa", "bv"),
        *("nv", "ab", "as", "asa", "aps", "oy", "oyj", "sl", "slu", "lda", "ltda", "pty", "pte", "pvt", "kk"),
        *("sro", "zoo", "doo", "ooo"),
    )
)
