"""Bearer keys: hashed at rest, several valid at once, rotated by changing a file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.errors import EnvironmentConfigError
from headgate.http.keys import RELOAD_SECONDS, Key, KeyFile, KeyRing, digest_of, new_key
from headgate.http.problems import Problem

SCOPES = {"type": "object", "additionalProperties": False, "properties": {"tables": {"type": "array"}}}


def bearer(key: str) -> str:
    return f"Bearer {key}"


def test_a_new_key_is_random_and_only_its_digest_is_needed():
    key = new_key()
    assert key != new_key() and len(key) > 40
    ring = KeyRing([Key("analyst", digest_of(key), id="2026")])
    assert (ring.authenticate(bearer(key)).client, ring.authenticate(f"bearer  {key} ").id) == ("analyst", "2026")


def test_a_client_may_have_several_keys():
    ring = KeyRing([Key("analyst", digest_of("old-key")), Key("analyst", digest_of("new-key"))])
    assert [ring.authenticate(bearer(key)).client for key in ("old-key", "new-key")] == ["analyst", "analyst"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic b2xk", "Bearer wrong", "Bearer \xff\u2028"])
def test_a_missing_or_unknown_key_is_a_401_with_a_challenge(header):
    with pytest.raises(Problem) as refused:
        KeyRing([Key("analyst", digest_of("old-key"))]).authenticate(header)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_key_is_refused_from_its_time_on():
    ring = KeyRing([Key("analyst", digest_of("k"), expires=datetime(2027, 1, 1, tzinfo=UTC))])
    assert ring.authenticate(bearer("k"), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)).client == "analyst"
    with pytest.raises(Problem, match="expired"):
        ring.authenticate(bearer("k"), datetime(2027, 1, 1, tzinfo=UTC))


def test_two_clients_must_not_share_a_key():
    with pytest.raises(EnvironmentConfigError, match="'a' and 'b' share a key"):
        KeyRing([Key("a", digest_of("same")), Key("b", digest_of("same"))])


# --- key files


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def write(path: Path, key: str, more: str = "") -> None:
    path.write_text(
        f"format: 1\nclients:\n  analyst:\n    scopes: {{tables: [gold.x]}}\n{more}"
        f"    keys: [{{id: k, sha256: {digest_of(key)}, expires: 2099-01-01T00:00:00Z}}]\n"
    )


def test_a_changed_key_file_is_used_without_a_restart(tmp_path):
    path, clock = tmp_path / "keys.yaml", Clock()
    write(path, "first")
    keys = KeyFile(path, SCOPES, clock)
    assert keys.ring().authenticate(bearer("first")).scopes == {"tables": ["gold.x"]}
    write(path, "second-key")
    clock.now += RELOAD_SECONDS
    assert keys.ring().authenticate(bearer("second-key")).client == "analyst"
    with pytest.raises(Problem):
        keys.ring().authenticate(bearer("first"))


def test_a_changed_key_file_that_is_wrong_leaves_the_last_keys_in_use(tmp_path, caplog):
    path, clock = tmp_path / "keys.yaml", Clock()
    write(path, "first")
    keys = KeyFile(path, SCOPES, clock)
    for content in ("format: 2\n", "clients: [", None):
        path.write_text(content) if content else path.unlink()
        clock.now += RELOAD_SECONDS
        assert keys.ring().authenticate(bearer("first")).client == "analyst"
        assert "the last valid keys stay in use" in caplog.text
        caplog.clear()


def test_a_disabled_client_has_no_key(tmp_path):
    write(tmp_path / "keys.yaml", "first", "    disabled: true\n")
    assert KeyFile(tmp_path / "keys.yaml", SCOPES).ring().clients == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("format: 1\nclients: {a: {keys: [{sha256: my-secret}]}}", "64 lower-case hex digits"),
        ("format: 1\nclients: {a: {keyz: []}}", "unknown key"),
        ("format: 1\nclients: {a: {keys: [], scopes: {table: []}}}", "Did you mean 'tables'"),
        (f"format: 1\nclients: {{a: {{keys: [{{sha256: {'a' * 64}, expires: soon}}]}}}}", "'soon' is not a time"),
    ],
)
def test_a_wrong_key_file_is_refused_and_never_shows_a_key(tmp_path, content, message):
    (tmp_path / "keys.yaml").write_text(content)
    with pytest.raises(EnvironmentConfigError) as refused:
        KeyFile(tmp_path / "keys.yaml", SCOPES)
    assert message in str(refused.value) and "my-secret" not in str(refused.value)
