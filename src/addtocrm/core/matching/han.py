"""Names in Han characters."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from addtocrm.core import identifiers

NOT_WORD = re.compile(r"[\W_]+")
ALL_FORMS = Path(__file__).with_name("simplified.txt")

TRADITIONAL = (
    "張陳劉楊趙黃吳孫馬羅鄭謝韓馮鄧蕭許葉蘇呂盧蔣賈鍾譚陸萬錢嚴賀顧龔湯強偉華國麗軍傑靜豔艷濤剛輝鵬飛雲鳳"
    "蘭紅瑩穎潔瓊寧慶榮貴寶興龍東曉衛愛義禮賢誠銘錦銳鋒鈞鐵鋼鎮長開門閔關陽雙雋韻順項頌顏風駿驍鴻鶴鷹麥齊"
    "齡莊範欒樂權橋樹歐歡澤淵漢潤濱滿燦煒燁瑤瑪環畢禎竇簡紀純紹維綺緒緣繼續縈聰聖聞肅蓮藝藍蘆覺觀詩諾謙譽"
    "貝貞賴贊車軒達遠連進鄒鄔鄺釗鈺鈴銀倫億儀優凱劍勝勵勳區單嘯圓堯夢婁婭嫻嬌學寬岡嵐嶽帥師廣憲應懷揚晉時"
    "暉書棟楓業樺鋭靈韋饒駱閻詠諸譯"
)
SIMPLIFIED = (
    "张陈刘杨赵黄吴孙马罗郑谢韩冯邓萧许叶苏吕卢蒋贾钟谭陆万钱严贺顾龚汤强伟华国丽军杰静艳艳涛刚辉鹏飞云凤"
    "兰红莹颖洁琼宁庆荣贵宝兴龙东晓卫爱义礼贤诚铭锦锐锋钧铁钢镇长开门闵关阳双隽韵顺项颂颜风骏骁鸿鹤鹰麦齐"
    "龄庄范栾乐权桥树欧欢泽渊汉润滨满灿炜烨瑶玛环毕祯窦简纪纯绍维绮绪缘继续萦聪圣闻肃莲艺蓝芦觉观诗诺谦誉"
    "贝贞赖赞车轩达远连进邹邬邝钊钰铃银伦亿仪优凯剑胜励勋区单啸圆尧梦娄娅娴娇学宽冈岚岳帅师广宪应怀扬晋时"
    "晖书栋枫业桦锐灵韦饶骆阎咏诸译"
)
"""Characters that are usual in names, in both forms, each at the same place (Unicode's `kSimplifiedVariant`). Others
are compared as they are written."""

FOLDED = str.maketrans(TRADITIONAL, SIMPLIFIED)
"""People's identities in tables are made with these: one more would make two of who is known in both forms."""


def han(text: str) -> str:
    """The Han characters of a text that has no other letters, in one order and the simplified form; else nothing."""
    letters = "" if text.isascii() else "".join(sorted(one for one in text.translate(FOLDED) if one.isalpha()))
    return letters if all(map(_is_han, letters)) else ""


def han_in(text: str) -> str:
    """The Han characters of a text, whatever it has beside them, in the simplified form."""
    return "" if text.isascii() else "".join(filter(_is_han, text.translate(_all_forms())))


def words(text: str) -> str:
    """The words of a text that has Han characters: those with such in them in the simplified form, the others as
    `identifiers.plain` has them. Of a text that has none, nothing."""
    if not han_in(text):
        return ""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_all_forms())
    return " ".join(
        filter(None, (word if han_in(word) else identifiers.plain(word) for word in NOT_WORD.split(folded)))
    )


def heard(key: str, characters: str) -> str:
    """The key of a name, which says how it sounds, and the Han characters that tell it from others of that sound."""
    return identifiers.bounded(" ".join(filter(None, (key, characters))))


@lru_cache(maxsize=1)
def _all_forms() -> dict[int, int]:
    """Each traditional character and its simplified one: those of names, and of `simplified.txt`."""
    lines = ALL_FORMS.read_text(encoding="utf-8").splitlines()
    pairs = [pair for line in lines if not line.startswith("#") for pair in line.split()]
    return FOLDED | {ord(one): ord(other) for one, other in pairs}


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff"
