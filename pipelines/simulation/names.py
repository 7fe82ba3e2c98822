"""Names of invented members, clients and places: plainly fictitious, never a real firm."""

from __future__ import annotations

from typing import Final

_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"
_STEMS_EN: Final = ("Jia", "Yi", "Bing", "Ding", "Wu", "Ji", "Geng", "Xin", "Ren", "Gui")
_BRANCHES_EN: Final = (
    "zi", "chou", "yin", "mao", "chen", "si", "wu", "wei", "shen", "you", "xu", "hai",
)  # fmt: skip
_PREFIX: Final = ("", "东", "西", "南")
_PREFIX_EN: Final = ("", "East ", "West ", "South ")
REGIONS: Final = (
    ("上海", "Shanghai"),
    ("江苏", "Jiangsu"),
    ("浙江", "Zhejiang"),
    ("广东", "Guangdong"),
    ("山东", "Shandong"),
)
_STORES: Final = (
    ("甲库", "Depot A"),
    ("乙库", "Depot B"),
    ("丙库", "Depot C"),
    ("丁库", "Depot D"),
)


def cycle_name(index: int) -> tuple[str, str]:
    """Return the index-th name of the sixty-year cycle (Chinese, English), prefixed past 60."""
    turn, place = divmod(index, 60)
    zh = _PREFIX[turn % 4] + _STEMS[place % 10] + _BRANCHES[place % 12]
    en = _PREFIX_EN[turn % 4] + _STEMS_EN[place % 10] + _BRANCHES_EN[place % 12]
    return zh, en


def member_names(index: int, *, futures_firm: bool) -> tuple[str, str, str]:
    """Return (Chinese name, English name, short name) of a member."""
    zh, en = cycle_name(index)
    if futures_firm:
        return f"{zh}期货（虚构）有限公司", f"{en} Futures (fictitious)", f"{zh}期货"
    return f"{zh}实业（虚构）有限公司", f"{en} Industry (fictitious)", f"{zh}实业"


def client_name(index: int, client_type: str) -> str:
    """Return a client's name, which says that it is invented."""
    number = f"{index:05d}"
    return {
        "RETAIL": f"模拟人{number}",
        "CORPORATE": f"虚构实业{number}有限公司",
        "FUND": f"示例资管{number}号",
        "PROGRAMME": f"假想量化{number}",
        "MARKET_MAKER": f"虚拟做市{number}",
    }[client_type]


def warehouse_name(region: int, store: int) -> str:
    """Return a warehouse's name in Chinese and English, joined as the stock file does."""
    zh, en = REGIONS[region]
    store_zh, store_en = _STORES[store]
    return f"{zh}虚构{store_zh}$${en} Fictitious {store_en}"
