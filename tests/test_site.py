"""The documentation as a site: it builds strictly, and its pages load nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import roost
import roost.client
import roost.testing

ROOT = Path(__file__).parents[1]
NOT_DOCUMENTED = {"roost.__version__"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built: links and anchors that lead nowhere and guides that the menu lacks are errors."""
    built = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "-q",
        "-f",
        str(ROOT / "docs/site/mkdocs.yml"),
        "-d",
        str(built),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return built


def test_every_guide_is_a_page(site: Path) -> None:
    guides = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert len(guides) > 20
    assert {guide for guide in guides if not (site / guide).exists()} == set()


def test_the_reference_has_all_public_names(site: Path) -> None:
    told = set(re.findall(r'<h\d id="(roost[\w.]+)"', "".join(path.read_text() for path in site.glob("api/*.html"))))
    homes = (roost, roost.testing, roost.client)
    public = {f"{home.__name__}.{name}" for home in homes for name in home.__all__ if not hasattr(roost, name)} | {
        f"roost.{name}" for name in roost.__all__
    }
    assert len(public) > 60
    assert public | {"roost.jwt.Jwt"} <= told | NOT_DOCUMENTED


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(https?:)?//")
    assert [page for page in site.rglob("*.html") if loaded.search(page.read_text())] == []
