"""What the rules know of words: endings of names, characters no name holds, and names that are none."""

# In the texts an ending may mean several types; the commonest in Lin'an stands here, the others in the gazetteer.
ENDINGS = {
    **dict.fromkeys("宫殿", "palace"),
    "门": "gate",
    "桥": "bridge",
    **dict.fromkeys("寺院庵", "monastery"),
    "观": "abbey",
    **dict.fromkeys("庙祠坛", "shrine"),
    "塔": "pagoda",
    **dict.fromkeys("坊厢", "ward"),
    **dict.fromkeys("街巷路", "street"),
    **dict.fromkeys("市团", "market"),
    "瓦": "theatre",
    **dict.fromkeys("铺店肆", "shop"),
    **dict.fromkeys("楼阁堂轩斋", "hall"),
    **dict.fromkeys("亭台榭", "pavilion"),
    **dict.fromkeys("园苑圃庄", "garden"),
    **dict.fromkeys("司监局", "office"),
    **dict.fromkeys("仓库", "granary"),
    **dict.fromkeys("营寨", "camp"),
    **dict.fromkeys("府宅第", "residence"),
    **dict.fromkeys("馆驿", "inn"),
    **dict.fromkeys("墓坟冢陵", "tomb"),
    **dict.fromkeys("山峰岭岩冈坞", "mountain"),
    "洞": "cave",
    **dict.fromkeys("湖池潭", "lake"),
    **dict.fromkeys("江河溪涧港", "river"),
    **dict.fromkeys("井泉", "spring"),
    **dict.fromkeys("塘堰闸堤埭渡", "waterworks"),
    **dict.fromkeys("洲屿", "island"),
}
LONG_ENDINGS = (
    ("瓦子", "theatre"),
    ("酒库", "shop"),
    ("茶坊", "shop"),
    ("酒楼", "shop"),
    ("道院", "abbey"),
    ("书院", "school"),
    ("贡院", "school"),
    ("御园", "garden"),
    ("教场", "camp"),
    ("斗门", "waterworks"),
)
# 仙林寺 + 桥, 贡院 + 桥, 李博士桥 + 巷: a known name may be the head of a longer one.
EXTENDING = frozenset("桥巷坊街路门瓦库仓营池井市塔园")

# No proper name holds these (numerals, 大, 小 and directions may begin one, so they are not among them).
NEVER = (
    "之其者也而以为在曰于有皆不无等如是所则乃又亦并及与诸各每凡此彼名使令可自至从由入"
    "出过去来见得遇凿筑建造修立设移改归赐创扁书题诗云谓呼称系即今昔尝曾已未必俱共何谁"
    "我时间处尺丈数多少几内外侧旁傍对"
)
FIRST_ONLY = "一二三四五六七八九十百东西南北前后左右上下大小旧元俗第"
LIST_ENDINGS = frozenset("桥巷坊门寺院庵观宫殿塔瓦亭园庙祠仓营驿闸堰楼阁堂墓坟岭峰洞泉井山池")
GENERIC = frozenset(
    [
        "寺院",
        "府第",
        "酒库",
        "茶坊",
        "城门",
        "水门",
        "旱门",
        "大殿",
        "正殿",
        "后殿",
        "前殿",
        "后门",
        "前门",
        "山门",
        "三门",
        "寺门",
        "庙门",
        "正门",
        "内门",
        "宫门",
        "便殿",
        "佛殿",
        "本府",
        "官府",
        "州府",
        "亭台",
        "楼台",
        "楼阁",
        "池塘",
        "石桥",
        "小桥",
        "大桥",
        "浮桥",
        "本寺",
        "僧寺",
        "尼寺",
        "古寺",
        "大寺",
        "小园",
        "大园",
        "亭榭",
        "宅院",
        "巷陌",
        "街巷",
        "前街",
        "后巷",
        "酒楼",
        "瓦市",
        "茶肆",
        "酒肆",
        "市井",
        "井亭",
        "前街后巷",
        "大小寺院",
        "寺观",
        "宫观",
        "祠庙",
        "庵院",
        "园苑",
        "苑圃",
        "亭馆",
        "池沼",
        "溪涧",
        "江湖",
        "禅院",
        "教院",
        "道院",
        "书院",
        "御园",
        "教场",
        "新街",
        "大街",
        "小巷",
        "旧路",
        "大路",
        "小路",
        "一路",
        "山路",
        "后院",
        "前院",
        "东西",
        "门楼",
        "城楼",
        "高楼",
        "高堂",
        "功德院",
        "功德寺",
        "香火院",
        "香火",
        "水旱桥",
        "斋宫",
    ]
)

ERAS = (
    "建炎 绍兴 隆兴 乾道 淳熙 绍熙 庆元 嘉泰 开禧 嘉定 宝庆 绍定 端平 嘉熙 淳祐 宝祐 开庆 景定 咸淳 德祐 "
    "元丰 元祐 政和 宣和 崇宁 大观 熙宁 庆历 天禧 天圣 祥符 太平兴国 长庆 乾宁 咸通 天宝 武德"
)


def type_by_ending(name: str) -> str:
    """The place type that a folded name's ending tells, ``other`` when it tells none."""
    for ending, kind in LONG_ENDINGS:
        if name.endswith(ending):
            return kind
    return ENDINGS.get(name.removesuffix("子")[-1:], "other")  # 亭子
