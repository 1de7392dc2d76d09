"""Whole clusters of the real pure cores, simulated on a seeded network with a clock of its own.

`cluster` holds what there is; `network` loses and delays; `worker`, `shard` and `supervisor` are the shells, torn apart
wherever a real process may die or be late; `promises` judges what arrives; `scenario` is what happens in one seed;
`rest` says when nothing moves any more and what must be true then; `faults` are rules taken away, to prove the judge.
"""
