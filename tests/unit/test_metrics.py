"""What Prometheus is told: one family once, every worker by its name, everything in the operations manual."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from hearing.audience import Kind
from media.metrics import WorkerMetrics, departed, traffic
from media.outlet import Outlet
from signaling.metrics import Metrics

MANUAL = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SUFFIXES = ("_bucket", "_count", "_sum", "_created")


def worker(number: int) -> WorkerMetrics:
    return WorkerMetrics(f"media-{number}", lambda: [3, 2], list)


def sample(text: bytes, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text.decode()):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return found.value
    raise AssertionError(f"no {name} {labels}")


def test_every_metric_stands_in_the_manual() -> None:
    for text in (worker(1).text(), Metrics().text(())):
        for family in text_string_to_metric_families(text.decode()):
            names = {found.name for found in family.samples} or {family.name}
            plain = {name.removesuffix(suffix) for name in names for suffix in SUFFIXES if name.endswith(suffix)} or names
            for name in plain:
                assert f"`{name}`" in MANUAL or f"`{name}_total`" in MANUAL, f"{name} is not in docs/operations.md"


def test_all_workers_come_in_one_scrape() -> None:
    text = Metrics().text([worker(1).text().decode(), worker(2).text().decode()])
    lines = text.decode().splitlines()
    heads = [line for line in lines if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)), "a family that comes twice is refused by strict readers"
    assert sample(text, "court_media_peers", worker="media-1") == 5
    assert sample(text, "court_media_peers", worker="media-2") == 5
    assert sample(text, "process_resident_memory_bytes", worker="media-2") > 0
    own = [line for line in lines if line.startswith("process_resident_memory_bytes ")]
    assert len(own) == 1, "signaling's own stands without a worker"


def test_counts_are_by_kind_and_outlive_connections() -> None:
    metrics = worker(1)
    before = sample(metrics.text(), "court_media_packets_forwarded_total", kind="screen")
    traffic(Kind.SCREEN).packets_out += 7
    assert sample(metrics.text(), "court_media_packets_forwarded_total", kind="screen", worker="media-1") == before + 7

    outlet = Outlet()
    outlet.dropped, outlet.refused = 4, 1
    lost = sample(metrics.text(), "court_media_fanout_lost_total", reason="socket")
    departed([outlet])
    assert sample(metrics.text(), "court_media_fanout_lost_total", reason="socket") == lost + 4


def test_loss_is_counted_by_direction() -> None:
    metrics = worker(1)
    metrics.lost(up=0.0, down=0.3)
    assert sample(metrics.text(), "court_media_loss_bucket", direction="up", le="0.0") == 1
    assert sample(metrics.text(), "court_media_loss_bucket", direction="down", le="0.2") == 0
    assert sample(metrics.text(), "court_media_loss_bucket", direction="down", le="0.5") == 1
