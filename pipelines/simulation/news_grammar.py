"""Templates of the simulated news: events, wording that turns them round, and their labels.

Labels follow the project's conventions (DOMAIN: news sentiment): direction is the push on the
commodity's own price; cancelled or averted means the opposite; less than expected beats the
level; a bare price report is labelled by what happened, 0.2 % or less is neutral.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.board import Board

SOURCES: Final = (
    ("示例财经", 90_000), ("虚构期货日报", 60_000), ("假想商品网", 25_000), ("模型快讯", 140_000),
    ("Fictitious Metals Wire", 30_000), ("Example Energy News", 22_000),
)  # fmt: skip


@dataclass(frozen=True)
class Story:
    """One event and how it is told. ``sign`` is the driver's movement, ``direction`` the push
    on the price (-1, 0, 1), ``tone`` how a public-opinion desk reads it (-1, 0, 1)."""

    number: int
    commodity_id: str
    name: str
    language: str
    driver: str
    sign: int
    direction: int
    tone: int
    pattern: str
    amount: str


@dataclass(frozen=True)
class _Pattern:
    key: str
    driver: str
    sign: int
    direction: int
    tone: int
    zh: tuple[str, ...]
    en: tuple[str, ...]


def _p(key: str, driver: str, sign: int, direction: int, tone: int, zh: tuple[str, ...],
       en: tuple[str, ...]) -> _Pattern:  # fmt: skip
    return _Pattern(key, driver, sign, direction, tone, zh, en)


PATTERNS: Final = (
    _p("supply_cut", "SUPPLY", -1, 1, 0,
       ("{name}主产区减产{amount}，供应趋紧", "多家企业宣布压减{name}产量{amount}"),
       ("Producers cut {name} output by {amount}", "{name} supply tightens after {amount} cut")),
    _p("supply_cut_cancelled", "SUPPLY", 1, -1, 0,
       ("{name}减产计划取消，企业维持满产", "原定{name}检修推迟，产量不受影响"),
       ("Planned {name} output cut called off", "{name} maintenance postponed, output unaffected")),
    _p("strike", "SUPPLY", -1, 1, -1,
       ("{name}矿区罢工持续，日产量下降{amount}", "工人罢工致{name}停产"),
       ("Strike halts {name} mine, output down {amount}", "{name} workers walk out")),
    _p("strike_averted", "SUPPLY", 1, -1, 1,
       ("{name}劳资达成协议，罢工得以避免", "{name}企业罢工风险解除"),
       ("{name} strike averted as wage deal reached", "{name} walkout called off")),
    _p("demand_up", "DEMAND", 1, 1, 1,
       ("{name}下游订单增长{amount}，需求回暖", "终端采购积极，{name}消费好于预期"),
       ("{name} orders up {amount} as demand recovers", "{name} consumption beats expectations")),
    _p("demand_less_than_expected", "DEMAND", -1, -1, 0,
       ("{name}需求增长{amount}，不及预期", "{name}旺季成色不足，消费低于预期"),
       ("{name} demand grows {amount}, less than expected", "{name} peak season disappoints")),
    _p("stocks_down", "STOCKS", -1, 1, 0,
       ("{name}仓单减少{amount}", "{name}库存连续下降，本周去库{amount}"),
       ("{name} warrants fall by {amount}", "{name} stocks drawn down {amount}")),
    _p("stocks_up", "STOCKS", 1, -1, 0,
       ("{name}仓单增加{amount}", "{name}社会库存累积{amount}"),
       ("{name} warrants rise by {amount}", "{name} inventories build by {amount}")),
    _p("stocks_up_less", "STOCKS", -1, 1, 0,
       ("{name}累库{amount}，幅度小于预期",),
       ("{name} stocks build {amount}, less than expected",)),
    _p("cost_up", "COST", 1, 1, 0,
       ("原料上涨，{name}生产成本抬升{amount}",),
       ("{name} costs up {amount} on dearer feedstock",)),
    _p("policy_support", "POLICY", 1, 1, 0,
       ("产业政策支持，{name}需求前景改善",), ("Policy support brightens {name} outlook",)),
    _p("policy_lifted", "POLICY", -1, -1, 0,
       ("{name}出口限制解除",), ("Export curbs on {name} lifted",)),
    _p("rumour_denied", "POLICY", -1, -1, 0,
       ("有关部门否认{name}收储传闻",), ("Officials deny {name} stockpiling rumour",)),
    _p("logistics_jam", "LOGISTICS", 1, 1, -1,
       ("港口拥堵，{name}到货延迟{amount}",), ("Port congestion delays {name} cargoes",)),
    _p("logistics_cleared", "LOGISTICS", -1, -1, 1,
       ("航道恢复通行，{name}到港正常",), ("{name} shipping lane reopens",)),
    _p("notice", "NONE", 0, 0, 0,
       ("关于{name}期货合约交割库名称变更的公告",), ("Notice on {name} warehouse names",)),
    _p("question", "NONE", 0, 0, 0,
       ("{name}还会继续上涨吗？",), ("Will {name} keep rising?",)),
    _p("misconduct", "NONE", 0, 0, -1,
       ("虚构交易所对{name}合约异常交易行为采取监管措施",),
       ("Fictitious exchange acts on abnormal {name} trading",)),
)  # fmt: skip
_BODY_ZH: Final = (
    "虚构消息：{title}。市场人士表示，{name}短期仍需关注后续变化。",
    "据模拟市场统计，{title}。相关企业均为虚构。",
)
_BODY_EN: Final = (
    "Simulated report. {title}. Traders in the fictitious market await details.",
    "{title}, according to invented sources. All firms named are fictitious.",
)
_LESS: Final = 0.2
"""Share of grown stocks told as grown less than expected (assumption)."""
_WHAT_ZH: Final = {"price": "主力合约涨跌幅", "stocks_up": "仓单增量", "stocks_down": "仓单减量"}
_WHAT_EN: Final = {
    "price": "price move", "stocks_up": "rise of warrants", "stocks_down": "fall of warrants",
}  # fmt: skip
CORRECTABLE: Final = tuple(_WHAT_ZH)
"""Patterns that always give a figure of the simulated market."""
_BY_KEY: Final = {p.key: p for p in PATTERNS}


def stories_of(
    rng: np.random.Generator, board: Board, moves: NDArray[np.float64],
    stock_change: NDArray[np.int64], count: int,
) -> list[Story]:  # fmt: skip
    """Return the date's stories: price reports and stock changes as they happened, and more."""
    stories: list[Story] = []
    busiest = np.argsort([-c.activity for c in board.commodities], kind="stable")
    for index in busiest[: count // 4]:
        move = float(moves[index])
        direction = 0 if abs(move) <= 0.002 else int(np.sign(move))
        stories.append(_story(rng, stories, board, int(index), "price", f"{abs(move):.2%}",
                              "PRICE", direction, direction, 0))  # fmt: skip
    for index in np.argsort(-np.abs(stock_change), kind="stable")[: count // 6]:
        change = int(stock_change[index])
        if change:
            grown = "stocks_up_less" if rng.random() < _LESS else "stocks_up"
            pattern = _BY_KEY[grown if change > 0 else "stocks_down"]
            stories.append(_told(rng, stories, board, int(index), pattern, f"{abs(change)}"))
    weight = np.array([c.activity for c in board.commodities])
    while len(stories) < count * 3 // 4:
        index = int(rng.choice(len(weight), p=weight / weight.sum()))
        pattern = PATTERNS[int(rng.integers(len(PATTERNS)))]
        if pattern.driver == "STOCKS":
            continue
        amount = f"{int(rng.integers(2, 30))}%"
        stories.append(_told(rng, stories, board, index, pattern, amount))
    return stories


def render(rng: np.random.Generator, story: Story, *, variant: bool = False) -> tuple[str, str]:
    """Return title and body; ``variant`` words a known title slightly differently."""
    chinese = story.language == "zh"
    if story.pattern == "price":
        title = _price_title(story, chinese)
    else:
        pattern = _BY_KEY[story.pattern]
        titles = pattern.zh if chinese else pattern.en
        title = titles[int(rng.integers(len(titles)))]
        title = title.format(name=story.name, amount=story.amount)
    if variant:
        title = f"快讯：{title}" if chinese else f"{title} - update"
    bodies = _BODY_ZH if chinese else _BODY_EN
    body = bodies[int(rng.integers(len(bodies)))].format(title=title, name=story.name)
    return title, body


def correction(right: Story, wrong: Story) -> tuple[str, str]:
    """Return title and body of the article that corrects a figure."""
    if right.language == "zh":
        title = f"更正：{right.name}{_WHAT_ZH[right.pattern]}应为{right.amount}"
        body = f"此前报道中的{wrong.amount}有误，应为{right.amount}。相关数据均来自模拟市场。"
        return title, body
    title = f"Correction: {right.name} {_WHAT_EN[right.pattern]} was {right.amount}"
    body = f"An earlier report gave {wrong.amount}; the right figure is {right.amount}. Simulated."
    return title, body


def _price_title(story: Story, chinese: bool) -> str:
    if chinese:
        word = {1: "上涨", -1: "下跌", 0: "微变"}[story.direction]
        return f"{story.name}主力合约{word}{story.amount}"
    word = {1: "up", -1: "down", 0: "little changed"}[story.direction]
    return f"{story.name} main contract {word} {story.amount}"


def _told(
    rng: np.random.Generator, stories: list[Story], board: Board, index: int, pattern: _Pattern,
    amount: str,
) -> Story:  # fmt: skip
    return _story(rng, stories, board, index, pattern.key, amount, pattern.driver, pattern.sign,
                  pattern.direction, pattern.tone)  # fmt: skip


def _story(
    rng: np.random.Generator, stories: list[Story], board: Board, index: int, pattern: str,
    amount: str, driver: str, sign: int, direction: int, tone: int,
) -> Story:  # fmt: skip
    commodity = board.commodities[index]
    language = "zh" if rng.random() < 0.75 else "en"
    name = commodity.name_zh if language == "zh" else commodity.name_en
    return Story(len(stories) + 1, commodity.commodity_id, name, language, driver, sign, direction,
                 tone, pattern, amount)  # fmt: skip
