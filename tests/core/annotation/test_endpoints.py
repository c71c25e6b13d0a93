import tomllib
from pathlib import Path

import pytest

from core.annotation.endpoints import (
    NO_KEY,
    PRESETS,
    Endpoint,
    check_endpoint,
    endpoint_for,
    is_near,
    normalise_address,
    resolve_key,
)
from core.errors import ProviderError

ENVIRON = {
    "DASHSCOPE_API_KEY": "sk-of-qwen",
    "ZHIPUAI_API_KEY": "of-zhipu",
    "DEEPSEEK_API_KEY": "sk-of-deepseek",
    "OPENAI_API_KEY": "sk-of-openai",
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_key_of_the_environment_goes_to_its_own_address_alone(name):
    preset = PRESETS[name]
    if preset.base_url:
        own = endpoint_for(name)
        assert resolve_key(own, "", ENVIRON) == ENVIRON[preset.key_variable]
        assert resolve_key(own, " typed\n", ENVIRON) == "typed"
    typed = endpoint_for(name, base_url="http://127.0.0.1:9999/v1", model="m")
    assert resolve_key(typed, "", ENVIRON) == NO_KEY
    for elsewhere in (
        "https://example.com/compatible-mode/v1",
        preset.base_url + ".evil.com/v1",
        preset.base_url + "/x",
    ):
        if elsewhere.startswith("https://"):
            other = Endpoint(name, elsewhere, "m")
            if preset.needs_key:
                with pytest.raises(ProviderError, match="provider_key_missing"):
                    resolve_key(other, "", ENVIRON)
            else:
                assert resolve_key(other, "", ENVIRON) == NO_KEY
            assert resolve_key(other, "typed", ENVIRON) == "typed"


def test_one_provider_never_gets_the_key_of_another():
    qwen_at_deepseek = Endpoint("qwen", PRESETS["deepseek"].base_url, "m")
    with pytest.raises(ProviderError, match="provider_key_missing"):
        resolve_key(qwen_at_deepseek, "", ENVIRON)
    with pytest.raises(ProviderError, match="DASHSCOPE_API_KEY"):
        resolve_key(endpoint_for("qwen"), "", {"OPENAI_API_KEY": "sk-x"})


@pytest.mark.parametrize("typed", ["我的密钥", "sk-abc def", "sk-a\nb", "ｓｋ－ａ"])
def test_what_no_header_can_carry_is_no_key(typed):
    with pytest.raises(ProviderError, match="provider_key_characters"):
        resolve_key(endpoint_for("qwen"), typed, {})


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "endpoint_address"),
        ("127.0.0.1:11434/v1", "endpoint_address"),
        ("ftp://example.com", "endpoint_address"),
        ("https://", "endpoint_address"),
        ("https://[::1/v1", "endpoint_address"),
        ("http://127.0.0.1:port/v1", "endpoint_address"),
        (f"http://{'a' * 70}.local/v1", "endpoint_address"),
        ("https://me:secret@example.com/v1", "endpoint_address"),
        ("https://example.com/v1?key=secret", "endpoint_address"),
        ("http://example.com/v1", "endpoint_insecure"),
        ("http://8.8.8.8/v1", "endpoint_insecure"),
    ],
)
def test_addresses_that_are_none_or_not_safe(address, code):
    with pytest.raises(ProviderError, match=code) as caught:
        endpoint_for("local", base_url=address, model="m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:11434/v1",
        "http://localhost:1234/v1",
        "http://[::1]:8000/v1",
        "http://192.168.1.20:8000/v1",
        "http://gpu-server:8000/v1",
        "http://gpu.local/v1",
        "https://example.com/v1",
    ],
)
def test_addresses_that_may_be_called(address):
    check_endpoint(endpoint_for("local", base_url=address, model="m"))


def test_near_and_far():
    assert is_near("http://10.0.0.3/v1") and is_near("http://localhost:1/v1") and is_near("http://[::1]/v1")
    assert not is_near("https://example.com/v1") and not is_near("https://localhost.example.com") and not is_near("")


def test_an_address_is_compared_as_it_is_called():
    own = PRESETS["qwen"].base_url
    assert normalise_address(f"  {own}/chat/completions/ ") == own
    assert normalise_address("HTTPS://DashScope.aliyuncs.com/compatible-mode/v1/") == own
    assert resolve_key(endpoint_for("qwen", base_url=own + "/"), "", ENVIRON) == "sk-of-qwen"


def test_a_preset_gives_what_is_not_typed():
    qwen = endpoint_for("qwen")
    assert (qwen.model, qwen.base_url) == ("qwen-turbo", PRESETS["qwen"].base_url)
    assert qwen.requests_per_minute and qwen.parameters()["response_format"] == {"type": "json_object"}
    assert qwen.label == "qwen-turbo @ dashscope.aliyuncs.com"
    local = endpoint_for("local", base_url="http://127.0.0.1:1/v1", model="m", timeout=5, json_mode=False)
    assert local.requests_per_minute is None and local.tokens_per_minute is None
    assert local.parameters() == {"temperature": 0.1} and local.timeout == 5
    assert endpoint_for("qwen", base_url="https://example.com/v1").requests_per_minute is None
    assert endpoint_for("qwen", requests_per_minute=3).requests_per_minute == 3
    with pytest.raises(ProviderError, match="endpoint_model"):
        endpoint_for("local", base_url="http://127.0.0.1:1/v1", model=" ")
    with pytest.raises(ProviderError, match="provider_unknown"):
        endpoint_for("nobody")


def test_every_failure_has_its_sentence():
    """What the modules raise by name stands in the catalogue in both languages, and nothing else does."""
    root = Path(__file__).parents[3]
    catalogue = root / "workbench" / "i18n" / "catalogue" / "provider_core.toml"
    sentences = tomllib.loads(catalogue.read_text(encoding="utf-8"))["errors"]
    modules = ("endpoints", "failures", "wire", "client")
    code = "".join((root / "core" / "annotation" / f"{name}.py").read_text(encoding="utf-8") for name in modules)
    assert all(f'"{name}"' in code for name in sentences)
    for sentence in sentences.values():
        assert set(sentence) == {"zh", "en"}
        assert sentence["zh"].endswith(("。", "{said}")) and sentence["en"].endswith((".", "{said}"))
