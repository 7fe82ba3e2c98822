"""Would a learned model judge headlines better? ``python -m benchmarks.sentiment_model``.

Needs scikit-learn (``pip install scikit-learn``), which the project itself does not use: this is
the measurement that kept it out. Only the tuning split is read, in ten folds, three times over.
Rules were written while looking at that split, so their figure here is the better half of the
truth; a model's is out of fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.sentiment import LABELS, dictionary_of
from pipelines.sentiment.agreement import read_labels, wilson
from pipelines.sentiment.ontology import Ontology, load_ontology, normalise
from pipelines.sentiment.scoring import score
from pipelines.sentiment.words import Dictionary

FOLDS, ROUNDS, SEED = 10, 3, 20260105
PENALTIES = (1.0, 10.0, 100.0)


def masked(title: str, commodity: str, names: Dictionary) -> str:
    """The headline with this commodity's names as ``#`` and others' as ``@``."""
    text = normalise(title)
    return names.pattern.sub(
        lambda m: "#" if ("commodity", commodity) in names.names[m.group()] else "@", text
    )


def cross_validated(
    texts: Sequence[str], extra: Sequence[str], labels: Sequence[int], groups: Sequence[str]
) -> tuple[list[float], list[list[int]]]:
    """Out-of-fold accuracy of each round; a headline's commodities stay in one fold.

    Character 1-3-gram TF-IDF and logistic regression (DOMAIN); ``extra`` is further tokens each
    text has, such as what the rules said. The best of three penalties is kept, which flatters
    the model a little.
    """
    import numpy as np
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    truth, words, tokens = np.array(labels), np.array(texts), np.array(extra)

    def rounds(penalty: float) -> list[list[int]]:
        said = []
        for number in range(ROUNDS):
            out = np.zeros(len(truth), dtype=int)
            folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED + number)
            for train, test in folds.split(words, truth, groups):
                grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2)
                parts = [(grams.fit_transform(words[train]), grams.transform(words[test]))]
                if any(extra):
                    told = CountVectorizer(token_pattern=r"\S+", lowercase=False)
                    parts.append((told.fit_transform(tokens[train]), told.transform(tokens[test])))
                model = LogisticRegression(C=penalty, max_iter=3000)
                model.fit(hstack([left for left, _ in parts]), truth[train])
                out[test] = model.predict(hstack([right for _, right in parts]))
            said.append(out.tolist())
        return said

    def accuracies(said: list[list[int]]) -> list[float]:
        return [float((np.array(out) == truth).mean()) for out in said]

    best = max((rounds(c) for c in PENALTIES), key=lambda said: sum(accuracies(said)))
    return accuracies(best), best


def compare(
    name: str, rules: list[int], texts: list[str], tokens: list[str], unsure: list[bool],
    labels: list[int], groups: list[str],
) -> None:  # fmt: skip
    """Print rules, model, model with the rules' answer, and rules with the model where unsure."""
    right = sum(a == b for a, b in zip(rules, labels, strict=True))
    low, high = wilson(right, len(labels))
    print(f"{name}, n={len(labels)}")
    print(f"  rules                              {right / len(labels):.3f} [{low:.3f}, {high:.3f}]")
    alone, said = cross_validated(texts, [""] * len(texts), labels, groups)
    show("model", alone)
    show("model that is told the rules' answer", cross_validated(texts, tokens, labels, groups)[0])
    filled = [
        sum((m if u else r) == t for m, u, r, t in zip(out, unsure, rules, labels, strict=True))
        / len(labels)
        for out in said
    ]
    show(f"rules, model where they are silent ({sum(unsure)})", filled)


def show(name: str, accuracies: Sequence[float]) -> None:
    """Print the mean over the rounds and their range."""
    mean = sum(accuracies) / len(accuracies)
    print(f"  {name:<42} {mean:.3f} ({min(accuracies):.3f} to {max(accuracies):.3f})")


def main(say: Callable[[str], None] = print) -> None:
    """Compare on direction and on tone."""
    ontology: Ontology = load_ontology()
    names = dictionary_of(ontology)
    rows = [row for row in read_labels(LABELS, 1) if row.split == "tuning"]
    scores = {row.key: score(row.title, ontology, names) for row in rows}
    pairs = [(row, key, label) for row in rows for key, label in row.commodities.items()]
    found = [
        {d.commodity_id: d for d in scores[row.key].directions}.get(key) for row, key, _ in pairs
    ]
    compare(
        "direction",
        [d.direction if d else 9 for d in found],
        [masked(row.title, key, names) for row, key, _ in pairs],
        [f"R{d.direction if d else 9} D{d.driver if d else 'X'}" for d in found],
        [d is None or d.driver == "NONE" for d in found],
        [label[0] for *_, label in pairs],
        [row.key for row, *_ in pairs],
    )
    compare(
        "tone",
        [scores[row.key].tone for row in rows],
        [normalise(row.title) for row in rows],
        [f"T{scores[row.key].tone}" for row in rows],
        [scores[row.key].tone == 0 for row in rows],
        [row.tone for row in rows],
        [row.key for row in rows],
    )


if __name__ == "__main__":
    main()
