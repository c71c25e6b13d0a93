"""The words of the demo world: modern wordings, and a classical lexicon that the mini model has not read.

Classical words stand in traditional characters; the passages are turned into simplified ones where wanted. Some of
them share a character with the modern word (橋, 春), some share none (浮圖 for 佛塔, 素商 for 秋天): that is the gap
which tuning has to close. Place names are put together from words that no place of Lin'an was named by.
"""

from dataclasses import dataclass

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of place is called. ``label`` and ``measure`` are modern; ``plain`` stands alone in a passage,
    ``ending`` after a given name; ``kind`` and ``code`` are the entity class and type of core.texts.vocabulary."""

    label: str
    modern: Words
    measure: str
    plain: Words
    ending: Words
    english: str
    code: str
    kind: str = "place"


KINDS: dict[str, Kind] = {
    "palace": Kind(
        "宫殿",
        ("宫殿", "大殿", "殿宇"),
        "座",
        ("離宮", "殿庭", "禁庭"),
        ("宮", "殿"),
        "palace hall",
        "palace",
    ),
    "bridge": Kind(
        "石桥",
        ("石桥", "石拱桥", "拱桥"),
        "座",
        ("石梁", "虹梁", "石杠"),
        ("橋", "梁"),
        "stone bridge",
        "bridge",
    ),
    "pagoda": Kind("佛塔", ("佛塔", "宝塔", "塔"), "座", ("浮圖", "浮屠", "窣堵"), ("塔", "浮圖"), "pagoda", "pagoda"),
    "pavilion": Kind("凉亭", ("凉亭", "亭子"), "座", ("亭榭", "華亭", "虛榭"), ("亭", "榭"), "pavilion", "pavilion"),
    "gate": Kind("城门", ("城门", "城楼", "城门楼"), "座", ("譙門", "麗譙", "闉闍"), ("門", "闕"), "city gate", "gate"),
    "monastery": Kind(
        "寺院",
        ("寺院", "寺庙", "佛寺"),
        "座",
        ("蘭若", "精藍", "梵刹"),
        ("寺", "蘭若"),
        "monastery",
        "monastery",
    ),
    "boat": Kind(
        "画船",
        ("画船", "游船"),
        "艘",
        ("畫舫", "彩鷁", "舴艋"),
        ("舫", "航"),
        "painted boat",
        "other",
        "other",
    ),
    "tavern": Kind(
        "酒楼", ("酒楼", "酒家", "酒馆"), "座", ("酒肆", "正店", "酒帘"), ("樓", "正店"), "wine house", "shop"
    ),
    "cottage": Kind(
        "茅屋",
        ("茅屋", "草房", "茅草屋"),
        "间",
        ("茅茨", "草廬", "蓬廬"),
        ("廬", "茅茨"),
        "thatched cottage",
        "residence",
    ),
    "waterwheel": Kind(
        "水车", ("水车", "大水车"), "架", ("水碓", "翻車", "機輪"), ("碓", "輪"), "water wheel", "waterworks"
    ),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """The land a scene lies in; ``modern`` phrases say where, ``ending`` closes its classical name."""

    label: str
    modern: Words
    ending: Words
    english: str
    code: str


GROUNDS: dict[str, Ground] = {
    "lake": Ground("湖", ("湖上", "湖边", "湖水中"), ("湖", "陂"), "Lake", "lake"),
    "mountain": Ground("山", ("山里", "山间", "群山中"), ("山", "嶺"), "Hill", "mountain"),
    "river": Ground("江", ("江边", "河边", "江岸"), ("江", "浦"), "River", "river"),
    "garden": Ground("园", ("园林里", "花园里", "庭园中"), ("園", "圃"), "Garden", "garden"),
}


@dataclass(frozen=True, slots=True)
class Aspect:
    """One value of season, weather, guest, side, depth, number or relation in three languages."""

    modern: Words
    classical: Words
    english: str


SEASONS: dict[str, Aspect] = {
    "spring": Aspect(("春天", "春日", "桃花盛开的春天"), ("暮春", "仲春", "上巳", "韶華"), "In spring"),
    "summer": Aspect(("夏天", "夏日", "草木茂盛的夏天"), ("仲夏", "季夏", "溽暑", "朱明"), "In summer"),
    "autumn": Aspect(("秋天", "秋日", "满树红叶的秋天"), ("暮秋", "孟秋", "素商", "重九"), "In autumn"),
    "winter": Aspect(("冬天", "冬日", "积雪的冬天"), ("孟冬", "季冬", "臘月", "嚴凝"), "In winter"),
}
WEATHERS: dict[str, Aspect] = {
    "clear": Aspect(("晴天", "天气晴朗", "晴朗"), ("新晴", "開霽", "澄霽"), "under a clear sky"),
    "rain": Aspect(("下雨", "细雨", "雨中"), ("微雨", "滂沱", "雨霏"), "in the rain"),
    "snowfall": Aspect(("下雪", "大雪纷飞", "飘雪"), ("飛雪", "霰集", "六出"), "in falling snow"),
    "mist": Aspect(("大雾", "雾气弥漫", "薄雾"), ("霧合", "煙靄", "嵐氣"), "in the mist"),
    "moon": Aspect(("月夜", "月光下", "夜里有月亮"), ("月夕", "蟾輝", "桂魄"), "by moonlight"),
    "dusk": Aspect(("傍晚", "夕阳下", "黄昏日落"), ("夕照", "薄暮", "殘暉"), "at dusk"),
}
GUESTS: dict[str, Aspect] = {
    "geese": Aspect(
        ("天上有大雁", "一行大雁飞过", "雁群飞过"),
        ("雁陣過之", "賓鴻成字", "征鴻遠度"),
        "wild geese pass overhead",
    ),
    "cranes": Aspect(
        ("天上有白鹤", "两只白鹤飞过", "白鹤飞舞"),
        ("皓鶴來翔", "胎禽雙舉", "仙羽翩然"),
        "two white cranes fly by",
    ),
    "ox": Aspect(
        ("牧童骑着水牛", "有牧童骑牛", "孩子骑在牛背上"),
        ("牧豎騎犢", "村童叱犢", "豎子跨犍"),
        "a herd boy rides his ox",
    ),
    "fisher": Aspect(
        ("渔翁在小船上钓鱼", "有渔翁垂钓", "渔夫划着小船"),
        ("釣叟垂綸", "漁父鼓棹", "釣絲獨把"),
        "an old man fishes from a skiff",
    ),
    "deer": Aspect(
        ("有两只小鹿", "两只鹿在草地上", "鹿在吃草"), ("鹿鳴呦呦", "麋群相逐", "斑麋銜芝"), "two deer graze"
    ),
}
SIDES: dict[str, Aspect] = {
    "left": Aspect(("左边", "左侧", "画面左边"), ("之西", "西偏", "西隅"), "on the west side"),
    "middle": Aspect(("中间", "中央", "画面中间"), ("之中", "中央", "正中"), "in the middle"),
    "right": Aspect(("右边", "右侧", "画面右边"), ("之東", "東偏", "東隅"), "on the east side"),
}
DEPTHS: dict[str, Aspect] = {
    "near": Aspect(("近处", "近景", "眼前"), ("迫近", "咫尺", "當軒"), "close by"),
    "far": Aspect(("远处", "远景", "远方"), ("遙望", "渺然", "迢遞"), "far off"),
}
COUNTS: dict[int, Aspect] = {
    1: Aspect(("一",), ("一", "孤峙", ""), "a"),
    2: Aspect(("两",), ("二", "對峙", "一雙"), "two"),
    3: Aspect(("三",), ("三", "鼎峙", "凡三"), "three"),
}
RELATIONS: dict[str, Aspect] = {
    "east_of": Aspect(("右边", "右侧", "东边"), ("其東", "東畔", "迤東"), "to the east"),
    "west_of": Aspect(("左边", "左侧", "西边"), ("其西", "西畔", "迤西"), "to the west"),
    "in_front_of": Aspect(("前面", "前方"), ("其前", "面值", "直前"), "in front"),
    "behind": Aspect(("后面", "后方", "背后"), ("其後", "背負", "却後"), "behind"),
}
VERBS: Words = ("有", "立", "為", "得")
CLOSINGS: Words = ("遊人忘歸", "今尚存", "見舊志", "都人賞之", "郡人所樂", "圖經不載")
"""Phrases that say nothing of the picture, as the gazetteers are full of them."""

NAME_HEADS: dict[str, str] = {
    "碧": "Jade",
    "霜": "Frost",
    "紺": "Indigo",
    "緋": "Scarlet",
    "赭": "Ochre",
    "黛": "Kohl",
    "絳": "Crimson",
    "蒼": "Hoary",
    "皚": "Snow-white",
    "翡": "Kingfisher",
    "琥": "Amber",
    "黝": "Swarthy",
}
NAME_TAILS: dict[str, str] = {
    "鷺": "Egret",
    "螭": "Dragonet",
    "蛟": "Sea-serpent",
    "獺": "Otter",
    "鼉": "Alligator",
    "犀": "Rhinoceros",
    "麝": "Musk",
    "鯨": "Whale",
    "駝": "Camel",
    "鸞": "Simurgh",
    "貘": "Tapir",
    "蜃": "Mirage",
}


def weather_key(season: str, weather: str) -> str:
    """Rain falls as snow in winter, and is called so."""
    return "snowfall" if (season, weather) == ("winter", "rain") else weather
