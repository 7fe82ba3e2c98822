"""How well and how fast headlines are judged: ``python -m benchmarks.sentiment [shared data]``.

Prints agreement of the two labelling passes, accuracy on each split beside its baselines, the
foreign check when its folder is given, and articles per second.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipelines.sentiment.agreement import Labelled, kappa, read_labels, wilson
from pipelines.sentiment.duplicates import cluster
from pipelines.sentiment.ontology import Ontology, load_ontology, normalise
from pipelines.sentiment.scoring import score, tone_of
from pipelines.sentiment.words import Dictionary, Tokeniser, build_dictionary, link

ROOT = Path(__file__).resolve().parents[1]
LABELS = ROOT / "tests" / "pipelines" / "sentiment" / "labelled"
COMMODITIES = ROOT / "pipelines" / "simulation" / "data" / "commodities.csv"
ARTICLES = 5_000
FOREIGN = {"积极": 1, "中性": 0, "消极": -1}


def dictionary_of(ontology: Ontology) -> Dictionary:
    """The simulated exchange's commodities and 300 contracts, 200 members and 50 places."""
    with COMMODITIES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ids = sorted({row["commodity_id"] for row in rows})
    return build_dictionary(
        ontology,
        commodities=[(row["commodity_id"], row["name_zh"], row["name_en"]) for row in rows],
        contracts=[f"{each}26{month:02d}" for each in ids for month in range(1, 13)],
        members=[(f"{n:04d}", f"虚构会员{n:03d}号") for n in range(200)],
        places=[f"虚构地{n:02d}仓库" for n in range(50)],
    )


def lexicon(title: str, ontology: Ontology) -> int:
    """The baseline: more rising or good words than falling or bad ones, whoever they speak of."""
    text = normalise(title)
    moved = sum(
        ontology.meanings[m.group()].sign
        for m in ontology.pattern.finditer(text)
        if ontology.meanings[m.group()].kind in ("price", "movement")
    )
    felt = len(ontology.positive.findall(text)) - len(ontology.negative.findall(text))
    return (moved + felt > 0) - (moved + felt < 0)


def share(name: str, right: Sequence[bool]) -> None:
    """Print one accuracy with its 95 % interval."""
    low, high = wilson(sum(right), len(right))
    print(f"  {name:<34} {sum(right) / len(right):.3f}  [{low:.3f}, {high:.3f}]  n={len(right)}")


def accuracy(which: str, rows: Sequence[Labelled], ontology: Ontology, names: Dictionary) -> None:
    """Print direction and tone of a split beside the majority of the tuning split."""
    tuning = [row for row in rows if row.split == "tuning"]
    usual = Counter(v[0] for r in tuning for v in r.commodities.values()).most_common(1)[0][0]
    usual_tone = Counter(row.tone for row in tuning).most_common(1)[0][0]
    wanted = [row for row in rows if row.split == which]
    pairs = [(row, key, label) for row in wanted for key, label in row.commodities.items()]
    scores = {row.key: score(row.title, ontology, names) for row in wanted}
    found = {key: {d.commodity_id: d for d in s.directions} for key, s in scores.items()}
    print(f"{which}: {len(wanted)} headlines, {len(pairs)} commodities")
    hits = [(found[r.key].get(k), label) for r, k, label in pairs]
    share("direction", [d is not None and d.direction == v[0] for d, v in hits])
    share("direction, majority", [v[0] == usual for _, v in hits])
    share("direction, lexicon", [lexicon(r.title, ontology) == v[0] for r, _, v in pairs])
    share("driver and sign", [d is not None and (d.driver, d.sign) == v[1:] for d, v in hits])
    share("commodities, exactly", [set(found[r.key]) == set(r.commodities) for r in wanted])
    share("tone", [scores[row.key].tone == row.tone for row in wanted])
    share("tone, majority", [row.tone == usual_tone for row in wanted])
    share("tone, lexicon", [lexicon(row.title, ontology) == row.tone for row in wanted])


def agreement(first: Sequence[Labelled], second: Sequence[Labelled]) -> None:
    """Print how far the two passes agree."""
    print("agreement of the two passes: share, Cohen's kappa")
    keys = [(a, b, key) for a, b in zip(first, second, strict=True)
            for key in sorted({*a.commodities, *b.commodities})]  # fmt: skip
    for name, part in (("direction", slice(0, 1)), ("driver and sign", slice(1, 3))):
        one = [a.commodities.get(k, ())[part] for a, _, k in keys]
        two = [b.commodities.get(k, ())[part] for _, b, k in keys]
        same = sum(x == y for x, y in zip(one, two, strict=True)) / len(keys)
        print(f"  {name:<34} {same:.3f}  {kappa(one, two):.3f}  n={len(keys)}")
    tones = [row.tone for row in first], [row.tone for row in second]
    same = sum(x == y for x, y in zip(*tones, strict=True)) / len(first)
    print(f"  {'tone':<34} {same:.3f}  {kappa(*tones):.3f}  n={len(first)}")


def foreign(folder: Path, ontology: Ontology) -> None:
    """Print tone on the Chinese financial set (equities, whole articles)."""
    path = folder / "cfbenchmark_sentiment" / "sentiment.jsonl"
    if not path.exists():
        print("foreign check: skipped, no data")
        return
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    truth = [FOREIGN[row["response"]] for row in rows]
    print(f"foreign check: {len(rows)} financial texts")
    texts = [row["input"] for row in rows]
    for name, cut in (("tone, whole text", 4000), ("tone, first 60 characters", 60)):
        said = [tone_of(text[:cut], ontology) for text in texts]
        share(name, [a == b for a, b in zip(said, truth, strict=True)])
    share("majority", [value == Counter(truth).most_common(1)[0][0] for value in truth])
    share("lexicon", [lexicon(x, ontology) == y for x, y in zip(texts, truth, strict=True)])


def speed(rows: Sequence[Labelled], ontology: Ontology, names: Dictionary) -> None:
    """Print articles per second of one process: links, score, words and clusters."""
    tokeniser = Tokeniser(ontology, names)
    titles = [f"{rows[n % len(rows)].title}{n // len(rows)}" for n in range(ARTICLES)]
    bodies = [f"{title}。市场人士表示，短期仍需关注后续变化。{n * 7919}。" * 3
              for n, title in enumerate(titles)]  # fmt: skip
    began = time.perf_counter()
    for title, body in zip(titles, bodies, strict=True):
        score(title, ontology, names)
        link(normalise(body), names)
        tokeniser.words(title + body)
    scored = time.perf_counter()
    day = 1_000
    for start in range(0, ARTICLES, day):
        cluster(bodies[start : start + day], ["one"] * len(bodies[start : start + day]))
    ended = time.perf_counter()
    print(
        f"speed, one process: {ARTICLES / (ended - began):,.0f} articles/s "
        f"(score, link and words {ARTICLES / (scored - began):,.0f}/s, near duplicates in days of "
        f"{day:,}: {ARTICLES / (ended - scored):,.0f}/s)"
    )


def main() -> None:
    """Print everything."""
    ontology = load_ontology()
    names = dictionary_of(ontology)
    first, second = read_labels(LABELS, 1), read_labels(LABELS, 2)
    agreement(first, second)
    accuracy("tuning", first, ontology, names)
    accuracy("holdout", first, ontology, names)
    if len(sys.argv) > 1:
        foreign(Path(sys.argv[1]), ontology)
    speed(first, ontology, names)


if __name__ == "__main__":
    main()
