"""Properties of rules: descriptions make the same user again, and checks agree with them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.acl.description import describe_user
from hypercache.engine.acl.rules import RuleError, Rules, merge_selectors
from hypercache.engine.acl.selectors import READ, WRITE, Pattern, needed
from hypercache.engine.acl.users import User, hashed
from hypercache.engine.command import CATEGORIES
from hypercache.engine.keys import ACCESS, DELETE, INSERT, OW, RW, UPDATE
from hypercache.keyspace.glob import matches
from hypercache.testing.engine import EngineHarness

REGISTRY = EngineHarness().engine.registry
NAMES = sorted(command.name for command in REGISTRY.originals())

commands = st.builds(
    lambda sign, name: sign + name, st.sampled_from([b"+", b"-"]), st.sampled_from(NAMES)
)
categories = st.builds(
    lambda sign, name: sign + b"@" + name.encode(),
    st.sampled_from([b"+", b"-"]),
    st.sampled_from([*CATEGORIES, "all"]),
)
others = st.sampled_from(
    [
        *(b"allkeys", b"resetkeys", b"~a*", b"%R~b?", b"%W~b?", b"%RW~c*", b"~\xff[x]"),
        *(b"allchannels", b"resetchannels", b"&a*", b"&b", b"+select|0", b"+get|x"),
    ]
)
of_selectors = st.one_of(commands, commands, categories, others)
of_users = st.one_of(
    of_selectors,
    st.sampled_from([b"on", b"off", b"nopass", b">pw", b"<pw", b"reset", b"clearselectors"]),
    st.lists(of_selectors, max_size=4).map(lambda rules: b"(" + b" ".join(rules) + b")"),
)


def user_of(rules: list[bytes]) -> User:
    """A user whose wrong rules were left out, as those who type them would."""
    language = Rules(REGISTRY)
    user = language.new_user(b"alice")
    for rule in rules:
        before = language.new_user(b"alice")
        before.take_over(user)
        try:
            language.apply(user, [rule])
        except RuleError:
            user.take_over(before)
    return user


def allowed(user: User) -> list[tuple[bytes, dict[bytes, list[bytes]]]]:
    """The commands of each selector."""
    return [(each.allowed.rstrip(b"\0"), each.first_arguments) for each in user.selectors]


@settings(max_examples=30, deadline=None)
@given(st.lists(of_users, max_size=12))
def test_a_description_makes_the_same_user(rules: list[bytes]) -> None:
    user = user_of(rules)
    text = describe_user(user)
    again = Rules(REGISTRY).new_user(b"alice")
    Rules(REGISTRY).apply(again, merge_selectors(text.split(b" ")))
    assert describe_user(again) == text
    assert again.unrestricted == user.unrestricted
    assert allowed(again) == allowed(user)
    if user.unrestricted:
        assert all(user.verdict(command, [b"x", b"k"]) == 0 for command in REGISTRY.commands())


@settings(max_examples=50)
@given(st.binary(max_size=6), st.binary(max_size=8))
def test_patterns_that_are_prefixes_match_as_any_do(prefix: bytes, text: bytes) -> None:
    for pattern in (prefix, prefix + b"*", prefix[:2] + b"*" + prefix[2:]):
        assert Pattern(pattern, READ).fits(text) is matches(pattern, text, False)


def test_renewing_changes_nothing() -> None:
    language = Rules(REGISTRY)
    user = language.new_user(b"alice")
    rules = b"+@all -@write +set +config|get -config|set +select|0 (+@list -lpush)"
    language.apply(user, merge_selectors(rules.split()))
    before = describe_user(user), allowed(user)
    for selector in user.selectors:
        language.renew(selector)
    assert before == (describe_user(user), allowed(user))


@pytest.mark.parametrize(
    ("flags", "need"),
    [
        (RW | ACCESS | UPDATE, READ | WRITE),
        (RW | ACCESS | DELETE, READ | WRITE),
        (RW | INSERT, WRITE),
        (OW | UPDATE, WRITE),
        (ACCESS, READ),
        (RW, 0),
    ],
)
def test_what_flags_of_keys_need(flags: int, need: int) -> None:
    assert needed(flags) == need


@pytest.mark.parametrize("rule", [b"%", b"%R", b"%~a", b"%RWR~a", b"% ~a"])
def test_key_patterns_without_permissions_or_tilde(rule: bytes) -> None:
    with pytest.raises(RuleError) as refused:
        user = User(b"alice", False)
        Rules(REGISTRY).apply(user, [rule])
    assert refused.value.text == "Syntax error"


def test_every_password_of_a_user_lets_in() -> None:
    language = Rules(REGISTRY)
    user = language.new_user(b"alice")
    language.apply(user, [b"on", b">one", b">two", b"#" + hashed(b"three")])
    assert [user.accepts(each) for each in (b"one", b"two", b"three", b"four", b"")] == [
        *(True, True, True, False, False)
    ]
    language.apply(user, [b"off"])
    assert not user.accepts(b"one")
    assert "one" not in repr(user)
