"""Django's own Redis cache, django-redis, and sessions in each of them."""

import threading
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.cache import CacheHandler
from django.core.cache.backends.base import BaseCache
from redis.exceptions import LockError

from hypercache.testing.server import ServerProcess

DJANGO = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"


@pytest.fixture(scope="module", autouse=True)
def _configured() -> None:
    settings.configure(USE_TZ=True, SECRET_KEY="tests", SESSION_ENGINE="")
    django.setup()


@pytest.fixture
def caches(server: ServerProcess) -> Iterator[CacheHandler]:
    """Each library's cache as a project would set it up, in databases of their own."""
    client = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
    packed = client | {
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
    }
    handler = CacheHandler(
        {
            "default": {"BACKEND": DJANGO, "LOCATION": f"{server.url}/1"},
            "django": {"BACKEND": DJANGO, "LOCATION": f"{server.url}/1", "KEY_PREFIX": "web"},
            "django-redis": {
                "BACKEND": DJANGO_REDIS,
                "LOCATION": f"{server.url}/2",
                "OPTIONS": client,
            },
            "packed": {
                "BACKEND": DJANGO_REDIS,
                "LOCATION": f"{server.url}/3",
                "OPTIONS": packed,
                "TIMEOUT": 100,
            },
        }
    )
    yield handler
    handler.close_all()


@pytest.fixture
def extended(caches: CacheHandler) -> Any:
    """What django-redis can beyond Django's own interface."""
    return caches["django-redis"]


@pytest.fixture(params=["django", "django-redis", "packed"])
def cache(caches: CacheHandler, request: pytest.FixtureRequest) -> BaseCache:
    return caches[request.param]


def test_values(cache: BaseCache) -> None:
    for value in (1, -5, "text", "ä\x00", [1, "two"], {"three": [4]}, None, True, 2.5):
        cache.set("key", value)
        assert cache.get("key", "nothing") == value
    assert cache.get("other", "nothing") == "nothing"
    assert cache.has_key("key")
    assert cache.delete("key") is True
    assert cache.delete("key") is False
    cache.set("large", ["x" * 1000] * 100)
    assert cache.get("large") == ["x" * 1000] * 100


def test_many(cache: BaseCache) -> None:
    assert not cache.set_many({f"key:{i}": i for i in range(50)}, timeout=100)
    assert cache.get_many(["key:1", "key:49", "key:50"]) == {"key:1": 1, "key:49": 49}
    cache.delete_many(["key:1", "key:2"])
    assert cache.get_many(["key:1", "key:2", "key:3"]) == {"key:3": 3}
    cache.clear()
    assert cache.get("key:3") is None


def test_conditions_and_numbers(cache: BaseCache) -> None:
    assert cache.add("key", 5) is True
    assert cache.add("key", 6) is False
    assert cache.incr("key", 10) == 15
    assert cache.decr("key") == 14
    with pytest.raises(ValueError):
        cache.incr("other")
    assert cache.get_or_set("key", 1) == 14
    assert cache.get_or_set("made", lambda: "now") == "now"


def test_timeouts_and_versions(cache: BaseCache) -> None:
    cache.set("key", "value", timeout=0)
    assert cache.get("key") is None
    cache.set("key", "value", timeout=100)
    assert cache.touch("key", 200) is True
    assert cache.touch("other", 200) is False
    cache.set("key", "second", version=2)
    assert (cache.get("key"), cache.get("key", version=2)) == ("value", "second")
    cache.incr_version("key", version=2)
    assert (cache.get("key", version=2), cache.get("key", version=3)) == (None, "second")


def test_times_to_live(extended: Any) -> None:
    extended.set("key", 1, timeout=100)
    assert 95 <= extended.ttl("key") <= 100
    assert 95_000 <= extended.pttl("key") <= 100_000
    assert extended.persist("key")
    assert extended.ttl("key") is None
    assert extended.ttl("other") == 0
    assert extended.expire("key", timeout=50)
    assert extended.pexpire("key", timeout=50_000)
    assert 45 <= extended.ttl("key") <= 50
    assert extended.set("key", 2, nx=True) is False
    assert extended.set("new", 2, nx=True, timeout=1) is True


def test_patterns(extended: Any) -> None:
    extended.set_many({f"user:{i}:name": i for i in range(300)} | {"other": 1})
    assert len(extended.keys("user:1?:*")) == 10
    assert set(extended.iter_keys("user:*:name", itersize=50)) == {
        f"user:{i}:name" for i in range(300)
    }
    assert extended.delete_pattern("user:*", itersize=100) == 300
    assert extended.keys("*") == ["other"]


def test_sets_and_hashes(extended: Any) -> None:
    assert extended.sadd("tags", "a", "b") == 2
    assert extended.smembers("tags") == {"a", "b"}
    assert extended.sismember("tags", "a") is True
    assert extended.hset("user", "name", "Ada") == 1
    assert extended.hexists("user", "name")
    assert extended.hkeys("user") == ["name"]


def test_locks(extended: Any) -> None:
    """The lock is redis-py's: SET NX, and scripts to extend and to release it."""
    lock = extended.lock("resource", timeout=20)
    with lock:
        assert not extended.lock("resource", blocking_timeout=0.05).acquire()
        assert lock.extend(20) is True
        assert lock.reacquire() is True
        assert lock.owned()
    assert not lock.locked()
    with pytest.raises(LockError):
        lock.release()
    order: list[str] = []

    def other() -> None:
        with extended.lock("resource", timeout=20, sleep=0.01):
            order.append("other")

    with extended.lock("resource", timeout=20):
        thread = threading.Thread(target=other)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_sessions(caches: CacheHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.sessions.backends import cache as sessions

    for alias in ("default", "django-redis"):
        monkeypatch.setattr(sessions, "caches", caches)
        monkeypatch.setattr(settings, "SESSION_CACHE_ALIAS", alias)
        session = sessions.SessionStore()
        session["user"] = 7
        session.set_expiry(300)
        session.save()
        again = sessions.SessionStore(session.session_key)
        assert again["user"] == 7
        again.cycle_key()
        assert not sessions.SessionStore().exists(session.session_key)
        again.flush()
        assert again.session_key is None


def test_raw_client(extended: Any) -> None:
    """``get_redis_connection`` hands out the client of redis-py below."""
    raw = extended.client.get_client(write=True)
    with raw.pipeline() as pipe:
        assert pipe.set("raw", 1).incr("raw").execute() == [True, 2]
