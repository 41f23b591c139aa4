"""Names as people write them: who is asked for, who is known, and what makes them one."""

import time

import pytest

from addtocrm.core.matching.names import Grade, Name, compare, given_and_family, may_be_one, name
from addtocrm.core.matching.search import ways, words

Written = str | tuple[str, str]
SAME, REORDERED, SHORTER, LONGER = Grade.SAME, Grade.REORDERED, Grade.SHORTER, Grade.LONGER
NICKNAME, TRANSLITERATED, INITIAL, VAGUE = Grade.NICKNAME, Grade.TRANSLITERATED, Grade.INITIAL, Grade.VAGUE

CASES: list[tuple[Written, Written, Grade | None]] = [
    # case, accents, punctuation
    ("JANE doe", "Jane Doe", SAME),
    ("Jose Nunez", "José Núñez", SAME),
    ("Jörg Müller", "Joerg Mueller", SAME),
    ("Jörg Müller", "Jorg Muller", SAME),
    ("Asa Oberg", "Åsa Öberg", SAME),
    ("Aasa Oeberg", "Åsa Öberg", SAME),
    ("Soeren Groß", "Søren Gross", SAME),
    ("Lukasz Wojcik", "Łukasz Wójcik", SAME),
    ("Mueller Jane", "Jane Muller", None),
    ("Pat O'Brien", "Pat O Brien", SAME),
    ("Pat OBrien", "Pat O’Brien", SAME),
    ("Jane Doe 🚀", "Jane Doe", SAME),
    # order
    ("Doe, Jane", ("Jane", "Doe"), SAME),
    ("Doe Jane", "Jane Doe", REORDERED),
    (("Doe", "Jane"), ("Jane", "Doe"), REORDERED),
    # double names
    (("Anna-Maria", "Roe"), ("Anna Maria", "Roe"), SAME),
    (("Annamaria", "Roe"), ("Anna-Maria", "Roe"), SAME),
    (("Anna", "Roe"), ("Anna-Maria", "Roe"), SHORTER),
    (("Anna-Maria", "Roe"), ("Anna", "Roe"), LONGER),
    (("Anna-Lena", "Roe"), ("Anna-Maria", "Roe"), None),
    (("Maria", "Roe"), ("Anna-Maria", "Roe"), None),
    (("Ana", "García"), ("Ana", "García López"), SHORTER),
    ("Ana García López", ("Ana", "García"), LONGER),
    (("Ana", "García Pérez"), ("Ana", "García López"), None),
    (("Jane", "Roe-Doe"), ("Jane", "Roe Doe"), SAME),
    (("Jane", "Doe"), ("Jane", "Roe-Doe"), SHORTER),
    (("Anna Maria", "García"), ("Anna", "García López"), None),
    # middle names
    ("Jane Q. Doe", "Jane Doe", LONGER),
    ("Jane Doe", "Jane Quinn Doe", SHORTER),
    ("Jane Q. Doe", "Jane Quinn Doe", SHORTER),
    ("Jane Q. Doe", "Jane R. Doe", None),
    ("Jane Maria Doe", "Jane Beth Doe", None),
    # particles
    ("Ludwig von Doe", "Ludwig Von Doe", SAME),
    ("Ludwig Vonderdoe", "Ludwig von der Doe", SAME),
    ("Ludwig Doe", "Ludwig von der Doe", SHORTER),
    ("Ludwig von Doe", "Ludwig Doe", LONGER),
    ("Omar Al-Roe", "Omar Alroe", SAME),
    # titles, degrees, generations
    ("Dr. Jane Doe, PhD", "Jane Doe", SAME),
    ("Prof. Dr. rer. nat. Jane Doe", "Jane Doe", SAME),
    (("Dr. Jane", "Doe MBA"), ("Jane", "Doe"), SAME),
    ("Jane Doe, Ph. D.", "Doe, Jane, M.B.A.", SAME),
    ("Jane Ma", "Jane Ba", None),
    ("Jane Doe, MA", "Jane Doe", SAME),
    ("Phil Doe", "Nat Doe", None),
    ("John Doe", "John Doe Jr.", SHORTER),
    ("John Doe, Jr.", "John Doe Junior", SAME),
    ("John Doe Jr.", "John Doe Sr.", None),
    ("John Doe III", "John Doe", LONGER),
    ("Mr. John Doe", "John Doe", SAME),
    ("Mr Kim Doe", "Mrs Kim Doe", None),
    ("Herr Dr. Kim Doe", "Frau Kim Doe", None),
    ("Señor Kim Doe", "Madame Kim Doe", None),
    # nicknames
    ("Bob Doe", "Robert Doe", NICKNAME),
    ("William Doe", "Bill Doe", NICKNAME),
    ("Bob Doe", "Rob Doe", NICKNAME),
    ("Bob Doe", "Bert Doe", None),
    ("Bob Roe", "Robert Doe", None),
    ('Robert "Bob" Doe', "Robert (Bobby) Doe", SAME),
    # initials
    ("J. Doe", "Jane Doe", INITIAL),
    ("J Doe", "Jane Doe", INITIAL),
    ("Jane Doe", "J. Doe", VAGUE),
    ("J. Doe", "Mary Doe", None),
    ("J. R. Doe", "Jane Rose Doe", INITIAL),
    ("J. R. Doe", "Jane Mary Doe", None),
    ("J. Robert Doe", "John Robert Doe", INITIAL),
    ("J. Robert Doe", "Jane Doe", None),
    ("Jane D.", "Jane Doe", None),
    # other scripts
    ("Дмитрий Соколенко", "Dmitry Sokolenko", TRANSLITERATED),
    ("Yulia Shcherbenko", "Юлия Щербенко", TRANSLITERATED),
    ("Γιώργος Παπαδάκης", "Giorgos Papadakis", TRANSLITERATED),
    ("王小明", ("Xiaoming", "Wang"), TRANSLITERATED),
    (("小明", "王"), "王小明", SAME),
    (("偉", "張"), "张伟", SAME),
    (("伟", "王"), "汪伟", None),
    (("Дана", "Орленко"), ("Diana", "Orlenko"), None),
    (("Мара", "Орленко"), ("Maria", "Orlenko"), None),
    (("Анна", "Орленко"), ("Ana", "Orlenko"), None),
    (("Мария", "Орленко"), ("Mariya", "Orlenko"), TRANSLITERATED),
    (("Наталья", "Орленко"), ("Natalia", "Orlenko"), TRANSLITERATED),
    (("Евгений", "Андреев"), ("Yevgeny", "Andreyev"), TRANSLITERATED),
    ("Иван Орленко", "Olga Orlenko", None),
    # nothing to compare
    ("", "", None),
    ("", "Jane Doe", None),
    ("Jane", "Jane Doe", None),
    ("Jane Doe", "Janet Doe", None),
]


def read(written: Written) -> Name:
    return name(written) if isinstance(written, str) else name("", first=written[0], last=written[1])


@pytest.mark.parametrize(("asked", "known", "grade"), CASES, ids=str)
def test_what_makes_two_names_one(asked: Written, known: Written, grade: Grade | None) -> None:
    assert compare(read(asked), read(known)) is grade


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        ("jane doe", "jane doe", True),
        ("jane doe", "", True),
        ("jane doe", "doe", True),
        ("bob doe", "robert doe", True),
        ("j doe", "jane doe", False),
        ("jane doe", "john doe", False),
        ("jane doe", "jane roe", False),
        ("Mr Doe", "Mrs Doe", False),
        ("Frau Müller", "Herr Müller", False),
        ("Mr Doe", "Doe", True),
        ("王伟", "汪伟", False),
        ("王伟", "Wang Wei", True),
    ],
)
def test_names_at_one_address(one: str, other: str, may_be: bool) -> None:
    assert may_be_one(one, other) is may_be_one(other, one) is may_be


@pytest.mark.parametrize("one", [*dict.fromkeys(case[0] for case in CASES)], ids=str)
def test_whoever_may_be_meant_is_found(one: Written) -> None:
    for other in {case[1] for case in CASES}:
        if compare(read(one), read(other)):
            known_by = set(words(read(other)))
            assert any(all(not known_by.isdisjoint(group) for group in way) for way in ways(read(one))), other


@pytest.mark.parametrize(
    "text", ["ö" * 5000, "ö " * 5000, "J." * 3000, '("' * 2000, "," * 3000, "王" * 500, "\x00", "\ud800"]
)
def test_any_text_is_read_quickly(text: str) -> None:
    began = time.process_time()
    assert compare(name(text), name("Jane Doe")) is None
    compare(name(text), name(f"{text} x"))
    compare(name("", first=text, last=text), name(text))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("whole", "given", "family"),
    [
        ("Jane Doe", "Jane", "Doe"),
        ("Dr. Jane Q. Doe, MBA", "Jane Q", "Doe"),
        ("Doe-Roe, Anna Maria", "Anna Maria", "Doe Roe"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("John Doe Jr.", "John", "Doe jr"),
        ("Jane", "", "Jane"),
        ("王 小明", "王", "小明"),
        ("", "", ""),
    ],
)
def test_a_whole_name_in_two(whole: str, given: str, family: str) -> None:
    assert given_and_family(whole) == (given, family)
