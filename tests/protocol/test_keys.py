"""Which key of a key set fits a token."""

import pytest

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.jws import (
    SUPPORTED_ALGORITHMS,
    UnverifiedHeader,
    canonical_algorithm,
    split_token,
    verify_signature,
)
from mcp_oauth2_deps.protocol.keys import KeySet, UnusableKeySetError


def _header(alg, kid=None):
    return UnverifiedHeader(canonical_algorithm(alg), kid, None)


def _key_set(*keys, algorithms=SUPPORTED_ALGORITHMS):
    return KeySet.from_document({"keys": list(keys)}, algorithms)


@pytest.mark.parametrize("alg", SUPPORTED_ALGORITHMS)
def test_the_key_named_by_kid_checks_the_signature(alg, signers, strangers):
    keys = _key_set(strangers[alg].jwk | {"kid": "old"}, signers[alg].jwk | {"kid": "new"})
    verify_signature(split_token(signers[alg].token()), keys.select(_header(alg, "new")))
    with pytest.raises(InvalidTokenError):
        verify_signature(split_token(signers[alg].token()), keys.select(_header(alg, "old")))


@pytest.mark.parametrize("sent", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("published", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("allowed", ["EdDSA", "Ed25519"])
def test_rfc9864_both_names_of_ed25519_mean_one_algorithm(sent, published, allowed, signers):
    jwk = signers[sent].jwk | {"kid": "a"} | ({} if published is None else {"alg": published})
    key = _key_set(jwk, algorithms=[allowed]).select(_header(sent, "a"))
    verify_signature(split_token(signers[sent].token()), key)


@pytest.mark.parametrize(
    ("alg", "published"),
    [("EdDSA", "Ed448"), ("EdDSA", "ed25519"), ("RS256", "Ed25519"), ("ES256", "EdDSA"), ("EdDSA", ["EdDSA"])],
)
def test_a_key_for_another_algorithm_is_not_used(alg, published, signers):
    with pytest.raises(UnusableKeySetError):
        _key_set(signers[alg].jwk | {"kid": "a", "alg": published})


def test_a_token_of_ed25519_never_uses_a_key_of_another_curve(signers):
    keys = _key_set(signers["ES256"].jwk | {"kid": "a"}, signers["EdDSA"].jwk | {"kid": "b"})
    with pytest.raises(InvalidTokenError) as refusal:
        keys.select(_header("Ed25519", "a"))
    assert (refusal.value.reason, refusal.value.claim) == ("algorithm", "alg")


def test_an_unknown_kid_selects_nothing(signers):
    assert _key_set(signers["RS256"].jwk | {"kid": "a"}).select(_header("RS256", "b")) is None


def test_a_kid_is_compared_whole_and_case_sensitively(signers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "abc"})
    assert [keys.select(_header("RS256", kid)) for kid in ("ABC", "ab", "abcd", "abc ", "")] == [None] * 5


def test_a_token_with_kid_never_uses_a_key_without(signers):
    assert _key_set(signers["RS256"].jwk).select(_header("RS256", "a")) is None


def test_a_known_kid_for_another_algorithm_is_refused(signers):
    with pytest.raises(InvalidTokenError) as refusal:
        _key_set(signers["RS256"].jwk | {"kid": "a"}).select(_header("ES256", "a"))
    assert (refusal.value.reason, refusal.value.claim) == ("algorithm", "alg")


def test_without_kid_the_only_key_that_fits_is_selected(signers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "a"}, signers["ES256"].jwk)
    verify_signature(split_token(signers["RS256"].token()), keys.select(_header("RS256")))
    verify_signature(split_token(signers["ES256"].token()), keys.select(_header("ES256")))


def test_without_kid_no_fitting_key_selects_nothing(signers):
    assert _key_set(signers["RS256"].jwk).select(_header("ES256")) is None


@pytest.mark.parametrize("kids", [("a", "b"), (None, None), ("a", None)])
def test_without_kid_several_fitting_keys_are_ambiguous(kids, signers, strangers):
    keys = _key_set(signers["RS256"].jwk | {"kid": kids[0]}, strangers["RS256"].jwk | {"kid": kids[1]})
    with pytest.raises(InvalidTokenError) as refusal:
        keys.select(_header("RS256"))
    assert (refusal.value.reason, refusal.value.claim) == ("ambiguous_key", "kid")


def test_two_keys_under_one_kid_are_ambiguous(signers, strangers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "a"}, strangers["RS256"].jwk | {"kid": "a"})
    with pytest.raises(InvalidTokenError) as refusal:
        keys.select(_header("RS256", "a"))
    assert refusal.value.reason == "ambiguous_key"


def test_two_keys_under_one_kid_are_told_apart_by_their_type(signers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "a"}, signers["ES256"].jwk | {"kid": "a"})
    verify_signature(split_token(signers["RS256"].token()), keys.select(_header("RS256", "a")))
    verify_signature(split_token(signers["ES256"].token()), keys.select(_header("ES256", "a")))


@pytest.mark.parametrize("second", [{"kid": "a"}, {"kid": "b"}, {"kid": "a", "use": "sig"}])
def test_a_key_published_twice_is_one(second, signers):
    jwk = signers["RS256"].jwk
    keys = _key_set(jwk | {"kid": "a"}, jwk | second)
    assert keys.select(_header("RS256")) is not None
    assert keys.select(_header("RS256", "a")) is not None


def test_the_published_algorithm_of_a_key_binds_it(signers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "a", "alg": "RS256"})
    assert keys.select(_header("RS256", "a")) is not None
    with pytest.raises(InvalidTokenError) as refusal:
        keys.select(_header("PS256", "a"))
    assert refusal.value.reason == "algorithm"


@pytest.mark.parametrize(
    "change",
    [{}, {"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"kid": None}, {"x5c": ["?"]}],
)
def test_a_key_for_signatures_is_usable(change, signers):
    assert len(_key_set(signers["ES256"].jwk | change)) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"use": "enc"}, "its use is not sig", id="use enc"),
        pytest.param({"use": None}, "its use is not sig", id="use null"),
        pytest.param({"use": ["sig"]}, "its use is not sig", id="use list"),
        pytest.param({"key_ops": ["sign"]}, "key_ops", id="key_ops without verify"),
        pytest.param({"key_ops": []}, "key_ops", id="key_ops empty"),
        pytest.param({"key_ops": "verify"}, "key_ops", id="key_ops string"),
        pytest.param({"kid": 1}, "its kid is no string", id="kid number"),
        pytest.param({"kid": ["a"]}, "its kid is no string", id="kid list"),
        pytest.param({"alg": "ES384"}, "none of the allowed", id="alg of another curve"),
        pytest.param({"alg": "HS256"}, "none of the allowed", id="alg symmetric"),
        pytest.param({"alg": None}, "none of the allowed", id="alg null"),
        pytest.param({"alg": ["ES256"]}, "none of the allowed", id="alg list"),
        pytest.param({"d": "AQAB"}, "private", id="private member"),
        pytest.param({"kty": "oct"}, "type or curve", id="symmetric"),
        pytest.param({"y": ["AQ"]}, "member y", id="coordinate list"),
    ],
)
def test_one_unusable_key_is_skipped_and_the_others_stay(change, problem, signers):
    keys = _key_set(signers["RS256"].jwk | {"kid": "good"}, signers["ES256"].jwk | change)
    assert (len(keys), keys.key_ids, len(keys.skipped)) == (1, {"good"}, 1)
    assert problem in keys.skipped[0]


def test_padding_does_not_make_a_second_key(signers):
    jwk = signers["ES256"].jwk
    assert _key_set(jwk | {"kid": "a"}, jwk | {"kid": "b", "x": jwk["x"] + "="}).select(_header("ES256")) is not None


@pytest.mark.parametrize("name", ["crv", "x", "y"])
@pytest.mark.parametrize("value", [[], {}], ids=["list", "object"])
def test_a_member_foreign_to_the_key_type_is_never_fatal(name, value, signers):
    keys = _key_set(signers["ES256"].jwk | {"kid": "good"}, signers["RS256"].jwk | {"kid": "odd", name: value})
    assert keys.select(_header("ES256", "good")) is not None


@pytest.mark.parametrize("jwk", [None, "key", 1, []], ids=["null", "string", "number", "list"])
def test_what_is_no_object_is_skipped(jwk, signers):
    assert _key_set(signers["ES256"].jwk, jwk).skipped == ("it is no JSON object",)


def test_a_key_for_algorithms_that_are_not_allowed_is_skipped(signers):
    keys = _key_set(signers["ES256"].jwk, signers["RS256"].jwk, algorithms={"ES256"})
    assert keys.skipped == ("it fits none of the allowed algorithms",)


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        pytest.param({}, "no list named keys", id="no keys"),
        pytest.param({"keys": None}, "no list named keys", id="keys null"),
        pytest.param({"keys": {}}, "no list named keys", id="keys object"),
        pytest.param({"keys": []}, "none of its 0 keys", id="keys empty"),
        pytest.param({"keys": [None, 1]}, "none of its 2 keys", id="no key is an object"),
        pytest.param({"keys": [{"kty": "oct", "k": "AAAA"}]}, "none of its 1 keys", id="only a secret"),
    ],
)
def test_a_document_without_a_usable_key_is_no_key_set(document, cause):
    with pytest.raises(UnusableKeySetError, match=cause):
        KeySet.from_document(document, SUPPORTED_ALGORITHMS)


def test_sets_of_the_same_keys_are_equal_in_any_order(signers, strangers):
    one, other = signers["ES256"].jwk | {"kid": "a"}, strangers["ES256"].jwk | {"kid": "b"}
    assert _key_set(one, other) == _key_set(other, one, None)
    assert _key_set(one, other) != _key_set(one)
    assert _key_set(one) != _key_set(one | {"kid": "c"})
    assert _key_set(one) != _key_set(other | {"kid": "a"})


def test_a_key_bound_to_another_algorithm_makes_another_set(signers):
    published = signers["RS256"].jwk
    one, other = (_key_set({**published, "alg": alg}) for alg in ("RS256", "RS512"))
    assert one != other
