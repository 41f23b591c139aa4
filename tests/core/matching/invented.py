"""Names that invented people and companies are made of (for `noise`). Given and family names of a culture are drawn
independently of each other, so that nobody in particular is meant."""

from typing import NamedTuple


class Culture(NamedTuple):
    """A culture's share of the people, its names, and how a name is written in its own script, if it has one."""

    share: float
    given: tuple[str, ...]
    family: tuple[str, ...]
    two_families: float = 0.0
    two_givens: float = 0.0
    particles: tuple[str, ...] = ()
    script: tuple[dict[str, str], dict[str, str]] | None = None
    family_first: bool = False


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def pairs(text: str) -> dict[str, str]:
    """`Ivan=Иван Olga=Ольга` as a dict."""
    return dict(one.split("=") for one in text.split())


RUSSIAN_GIVEN = pairs(
    "Ivan=Иван Dmitry=Дмитрий Sergey=Сергей Alexey=Алексей Mikhail=Михаил Andrey=Андрей Nikolai=Николай "
    "Yuri=Юрий Vladimir=Владимир Pavel=Павел Evgeny=Евгений Alexander=Александр Olga=Ольга Elena=Елена "
    "Natalia=Наталья Irina=Ирина Yulia=Юлия Ekaterina=Екатерина Anastasia=Анастасия Tatiana=Татьяна "
    "Svetlana=Светлана Maria=Мария Anna=Анна Polina=Полина"
)
RUSSIAN_FAMILY = pairs(
    "Sokolenko=Соколенко Lebedko=Лебедко Kozlenko=Козленко Morozenko=Морозенко Zhukovenko=Жуковенко "
    "Chaykenko=Чайкенко Shcherbenko=Щербенко Yakovchuk=Яковчук Tsvetenko=Цветенко Khvostenko=Хвостенко "
    "Gavrilchuk=Гаврильчук Fedorchuk=Федорчук Grishchenko=Грищенко Belyaenko=Беляенко Orlenko=Орленко "
    "Voronchuk=Ворончук"
)
GREEK_GIVEN = pairs(
    "Giorgos=Γιώργος Nikos=Νίκος Dimitris=Δημήτρης Kostas=Κώστας Yannis=Γιάννης Maria=Μαρία Eleni=Ελένη "
    "Katerina=Κατερίνα Sofia=Σοφία Anna=Άννα Christos=Χρήστος Panagiotis=Παναγιώτης"
)
GREEK_FAMILY = pairs(
    "Papadakis=Παπαδάκης Georgiou=Γεωργίου Nikolaou=Νικολάου Makris=Μακρής Vlachos=Βλάχος "
    "Oikonomou=Οικονόμου Antoniou=Αντωνίου Christou=Χρήστου Pappas=Παππάς Karras=Καρράς"
)
CHINESE_GIVEN = pairs(
    "Wei=伟 Fang=芳 Min=敏 Jing=静 Lei=磊 Xiaoming=小明 Jianguo=建国 Yan=艳 Ting=婷 Hao=浩 Xiuying=秀英 Meiling=美玲"
)
CHINESE_FAMILY = pairs(
    "Wang=王 Li=李 Zhang=张 Liu=刘 Chen=陈 Yang=杨 Zhao=赵 Huang=黄 Zhou=周 Wu=吴 Xu=徐 Sun=孙 Ma=马 Zhu=朱"
)
JAPANESE_GIVEN = pairs("Taro=太郎 Haruka=春香 Kenji=健二 Yuki=由紀 Hiroshi=浩 Akiko=明子")
JAPANESE_FAMILY = pairs("Tanaka=田中 Suzuki=鈴木 Takahashi=高橋 Ito=伊藤 Yamamoto=山本 Nakamura=中村")
KOREAN_GIVEN = pairs("Minjun=민준 Seoyeon=서연 Jiwoo=지우 Hyunwoo=현우 Yuna=유나 Jihoon=지훈")
KOREAN_FAMILY = pairs("Kim=김 Lee=이 Park=박 Choi=최 Jung=정 Kang=강")
ARABIC_GIVEN = pairs("Mohammed=محمد Ahmed=أحمد Layla=ليلى Fatima=فاطمة Omar=عمر Yusuf=يوسف Khaled=خالد Huda=هدى")
ARABIC_FAMILY = pairs("Mansour=منصور Haddad=حداد Khalil=خليل Nasser=ناصر Saleh=صالح Najjar=نجار Hassan=حسن")


def keys(*names: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for one in names for name in one)


ENGLISH = Culture(
    0.36,
    words(
        "James Robert John Michael David William Richard Joseph Thomas Christopher Charles Daniel Matthew "
        "Anthony Steven Andrew Kenneth Joshua Kevin Edward Ronald Timothy Jeffrey Ryan Gary Nicholas Eric "
        "Jonathan Stephen Larry Justin Benjamin Samuel Gregory Alexander Patrick Peter Harold Henry Walter "
        "Lawrence Albert Arthur Philip Alan Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica "
        "Margaret Sarah Karen Nancy Lisa Betty Sandra Ashley Kimberly Emily Donna Michelle Carol Amanda "
        "Melissa Deborah Stephanie Rebecca Laura Helen Sharon Cynthia Kathleen Amy Angela Anna Ruth Brenda "
        "Pamela Nicole Katherine Samantha Christine Catherine Victoria Rachel Janet Diane Alice Julie Heather "
        "Teresa Dorothy Jane Claire Grace"
    ),
    words(
        "Doe Roe Poe Moe Loe Ashworth Barlow Bexley Birch Blackwell Bramley Brand Brook Burnham Calder Carden "
        "Colby Cope Coulter Crane Dalby Dane Denham Drew Eastman Elder Fairfax Fallow Farnham Fenwick Field "
        "Finch Flint Foxley Frost Gale Garland Gilmore Glade Granger Greenhill Hadley Hale Halford Harrow "
        "Hartley Hawke Hayward Heath Hollis Holt Hurst Ives Keating Kendrick Kirby Lacey Langley Larkin "
        "Lindley Lockhart Marlow Mercer Merrick Milburn Morley Nash Norwood Oakes Ogden Orchard Penrose Pike "
        "Preston Quick Radford Ramsey Redfern Ridley Rowan Rushton Sable Sandford Selby Shelby Stanton Stokes "
        "Stroud Sutton Talbot Thorne Tilley Upton Vance Wakefield Walden Warwick Wexford Whitby Wilder "
        "Winslow Wyatt Yardley O'Hara O'Leary McBride McCall"
    ),
    two_givens=0.15,
)
GERMAN = Culture(
    0.16,
    words(
        "Jörg Jürgen Günther Björn Sören Hans-Peter Karl-Heinz Wolfgang Stefan Andreas Thomas Michael "
        "Matthias Christian Maximilian Johannes Ulrich Klaus Uwe Lukas Jonas Katharina Ann-Kathrin Anna-Lena "
        "Eva-Maria Sabine Heike Jürgen Käthe Anke Ursula Monika Julia Susanne Petra Renate"
    ),
    words(
        "Müller Schäfer König Krüger Möller Köhler Günther Böhm Voß Groß Weiß Jäger Fröhlich Brückner "
        "Schröder Lindner Ahlers Behrens Claßen Dierks Ebers Fiedler Gerdes Hinrichs Immel Jansen Kampf "
        "Lorenz Mertens Nolte Ohlsen Petersen Quandt Reimers Steffens Thoms Uhlig Vogt Wegner Zöllner"
    ),
    two_families=0.06,
    particles=("von", "von der"),
)
SPANISH = Culture(
    0.14,
    words(
        "José María Jesús Andrés Ramón Ángel Óscar Rubén Adrián Sebastián Francisco Manuel Antonio Guillermo "
        "Rafael Luis Ignacio Javier Carlos Pablo Lucía Sofía Mónica Verónica Inés Belén Rocío Raquel Cristina "
        "Beatriz Pilar Elena Marta"
    ),
    words(
        "García Fernández González Rodríguez López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández "
        "Díaz Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Ramírez "
        "Serrano Blanco Núñez Peña Ibáñez Cortés Castaño"
    ),
    two_families=0.6,
    two_givens=0.15,
    particles=("de", "de la"),
)
FRENCH = Culture(
    0.08,
    words(
        "Jean-Pierre Jean-Luc Marie-Claire Anne-Sophie François Frédéric Gérard Hélène Thérèse Élodie Chloé "
        "Aurélie Benoît Jérôme Stéphane Sébastien Océane Noémie Luc Pierre Paul Claire Camille Julien Nicolas "
        "Laurent"
    ),
    words(
        "Lefèvre Bélanger Côté Gagné Légaré Poirier Garnier Moulin Chevallier Besson Rivière Dubré Fontenelle "
        "Marchal Rousselet Lacombe Perrin Bertin Charpentier Delorme"
    ),
    two_families=0.05,
    particles=("de", "du", "de la"),
)
DUTCH = Culture(
    0.06,
    words("Jan Pieter Willem Hendrik Johannes Maarten Joost Sander Femke Anneke Marijke Saskia Lotte Daan Bram Sanne"),
    words("Berg Dijk Vries Leeuwen Beek Meer Laan Linden Heuvel Broek Horst Velde Kuipers Smits Bakkers Visserman"),
    particles=("van", "van der", "van den", "de"),
)
NORDIC = Culture(
    0.06,
    words("Åsa Åke Göran Björn Jörgen Søren Jørgen Øyvind Håkon Märta Linnéa Anders Lars Erik Ingrid Sigrid Astrid"),
    words(
        "Åström Öberg Sjögren Lindström Söderberg Nygård Østergaard Sørensen Bjørnsen Håkansson Ågren Holm "
        "Lund Strand Vik"
    ),
    two_families=0.05,
)
SLAVIC = Culture(
    0.04,
    words("Łukasz Paweł Michał Małgorzata Agnieszka Zbigniew Jiří Tomáš Zdeněk Lenka Šárka Božena Ivana Đorđe Željko"),
    words("Wójcik Kamiński Zieliński Dąbrowski Jabłoński Nováček Dvořák Procházka Černý Kovačić Đurić Žukić Łasko"),
)
CULTURES = (
    ENGLISH,
    GERMAN,
    SPANISH,
    FRENCH,
    DUTCH,
    NORDIC,
    SLAVIC,
    Culture(0.035, keys(RUSSIAN_GIVEN), keys(RUSSIAN_FAMILY), script=(RUSSIAN_GIVEN, RUSSIAN_FAMILY)),
    Culture(0.015, keys(GREEK_GIVEN), keys(GREEK_FAMILY), script=(GREEK_GIVEN, GREEK_FAMILY)),
    Culture(0.02, keys(CHINESE_GIVEN), keys(CHINESE_FAMILY), script=(CHINESE_GIVEN, CHINESE_FAMILY), family_first=True),
    Culture(
        0.01, keys(JAPANESE_GIVEN), keys(JAPANESE_FAMILY), script=(JAPANESE_GIVEN, JAPANESE_FAMILY), family_first=True
    ),
    Culture(0.01, keys(KOREAN_GIVEN), keys(KOREAN_FAMILY), script=(KOREAN_GIVEN, KOREAN_FAMILY), family_first=True),
    Culture(0.01, keys(ARABIC_GIVEN), keys(ARABIC_FAMILY), script=(ARABIC_GIVEN, ARABIC_FAMILY)),
)

SHORT_FORMS = {
    name: forms.split(",")
    for name, forms in pairs(
        "James=Jim,Jimmy,Jamie Robert=Bob,Rob,Bobby Robbie=Bob John=Jack,Johnny Michael=Mike,Mick David=Dave "
        "William=Bill,Will,Billy Richard=Rick,Dick,Rich Joseph=Joe Thomas=Tom,Tommy Christopher=Chris "
        "Charles=Charlie,Chuck Daniel=Dan,Danny Matthew=Matt Anthony=Tony Steven=Steve Andrew=Andy,Drew "
        "Kenneth=Ken Joshua=Josh Edward=Ed,Eddie,Ted,Ned Ronald=Ron Timothy=Tim Jeffrey=Jeff Nicholas=Nick "
        "Jonathan=Jon Stephen=Steve Lawrence=Larry Benjamin=Ben Samuel=Sam Gregory=Greg Alexander=Alex,Sandy "
        "Patrick=Pat,Paddy Peter=Pete Harold=Harry,Hal Henry=Harry,Hank Walter=Walt Albert=Al,Bert Arthur=Art "
        "Philip=Phil Alan=Al Patricia=Pat,Patty,Trish Jennifer=Jen,Jenny Elizabeth=Liz,Beth,Betty,Lizzie "
        "Barbara=Barb Susan=Sue,Susie Jessica=Jess Margaret=Maggie,Peggy,Meg Sandra=Sandy Kimberly=Kim "
        "Amanda=Mandy Melissa=Mel,Missy Deborah=Deb,Debbie Stephanie=Steph Rebecca=Becky,Becca Cynthia=Cindy "
        "Kathleen=Kathy Angela=Angie Brenda=Bren Pamela=Pam Nicole=Nikki Katherine=Kate,Kathy,Katie "
        "Samantha=Sam Christine=Chris,Tina Catherine=Cathy,Cate Victoria=Vicky,Tori Rachel=Rach Janet=Jan "
        "Teresa=Terri,Tess Dorothy=Dot,Dottie Diane=Di Maximilian=Max Johannes=Hannes,Jo Ulrich=Uli "
        "Katharina=Kathi Wolfgang=Wolf Matthias=Matze José=Pepe Francisco=Paco,Pancho Ignacio=Nacho "
        "Guillermo=Memo Rafael=Rafa Antonio=Toni Manuel=Manolo Dmitry=Dima Alexander=Sasha,Alex "
        "Ekaterina=Katya Mikhail=Misha"
    ).items()
}

BRANDS = words(
    "Acme Bitloom Stackwell Northwind Harbourline Fleetfox Sunmeadow Tidewright Windrose Bluefin "
    "Copperleaf Quillstone Larkspur Ironbark Millrace Saltmarsh Highmoor Oakenfold Pinecrest Redwing "
    "Silverbirch Stonebridge Thornfield Umberly Valewood Wexmoor Yellowtail Zephyrine Amberlight "
    "Brightwater Cloudberry Driftwood Emberly Foxglove Goldcrest Hazelmere Inkwell Juniper Kestrel "
    "Lowland Mapleton Nettlebed Osprey Plover Quarry Ravenscar Sparrow Teasel Underhill Vixen Wagtail"
)
FIELDS = words(
    "Systems Foods Logistics Media Energy Tools Labs Textiles Robotics Travel Health Paper Glass Marine Design"
)
LEGAL = (
    "Inc.",
    "Ltd",
    "Ltd.",
    "GmbH",
    "LLC",
    "S.A.",
    "S.L.",
    "B.V.",
    "AB",
    "GmbH & Co. KG",
    "Corp.",
    "plc",
    "Pty Ltd",
    "SAS",
    "AG",
)
ENDINGS = ("example.com", "example.net", "example.org", "test")
