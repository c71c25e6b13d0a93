"""Where a model answers: the providers known by name, and the address, model and limits of one job."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from core.errors import ProviderError

NO_KEY = "none"
"""What is sent where no key is needed: without one the client would send OPENAI_API_KEY to any address."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider known by name. ``base_url`` is empty where the person types it; limits None mean unlimited.

    The limits are cautious starting values below what the providers grant a new account; a person may edit them.
    """

    name: str
    base_url: str
    key_variable: str
    models: tuple[str, ...]
    json_mode: bool = True
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    needs_key: bool = True


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="qwen",
            base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
            key_variable="DASHSCOPE_API_KEY",
            models=("qwen-turbo", "qwen-plus", "qwen-max", "qwen-flash"),
            requests_per_minute=600,
            tokens_per_minute=1_000_000,
        ),
        Preset(
            name="zhipu",
            base_url="https://open.bigmodel.cn/api/paas/v4",
            key_variable="ZHIPUAI_API_KEY",
            models=("glm-4-flash",),
            requests_per_minute=300,
        ),
        Preset(
            name="deepseek",
            base_url="https://api.deepseek.com/v1",
            key_variable="DEEPSEEK_API_KEY",
            models=("deepseek-chat",),
        ),
        Preset(name="local", base_url="", key_variable="", models=(), needs_key=False),
    )
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and model with the parameters of a job; ``timeout`` is in seconds for one call, whole."""

    preset_name: str
    base_url: str
    model: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 120.0
    temperature: float | None = 0.1
    max_tokens: int | None = None
    json_mode: bool = True

    @property
    def host(self) -> str:
        """Host and port of the address, as they are shown."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def label(self) -> str:
        """Model and host, for lists and sentences: ``qwen-plus @ dashscope.aliyuncs.com``."""
        return f"{self.model} @ {self.host}"

    def parameters(self) -> dict[str, Any]:
        """What goes into the request beside the messages, and into its key and provenance."""
        chosen: dict[str, Any] = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        if self.json_mode:
            chosen["response_format"] = {"type": "json_object"}
        return {name: value for name, value in chosen.items() if value is not None}


def preset_named(name: str) -> Preset:
    """The preset; ProviderError ``provider_unknown`` names those there are."""
    if name not in PRESETS:
        raise ProviderError("provider_unknown", name=name, known=", ".join(PRESETS))
    return PRESETS[name]


def endpoint_for(preset_name: str, *, base_url: str = "", model: str = "", **changed: Any) -> Endpoint:
    """The endpoint of a preset, checked; what is given takes the place of the preset's own values.

    The preset's limits hold for its own address only. ``changed`` are fields of :class:`Endpoint`. Errors: those of
    :func:`preset_named` and :func:`check_endpoint`.
    """
    preset = preset_named(preset_name)
    address = normalise_address(base_url) or preset.base_url
    own = address == preset.base_url
    values: dict[str, Any] = {
        "requests_per_minute": preset.requests_per_minute if own else None,
        "tokens_per_minute": preset.tokens_per_minute if own else None,
        "json_mode": preset.json_mode,
    }
    name = model.strip() or (preset.models[0] if preset.models else "")
    endpoint = Endpoint(preset_name=preset_name, base_url=address, model=name, **(values | changed))
    check_endpoint(endpoint)
    return endpoint


def normalise_address(base_url: str) -> str:
    """The address as it is compared and called: no spaces, no slash at the end, no ``/chat/completions``."""
    address = base_url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
    parts = _split(address)
    if parts is None:
        return address
    return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))


def check_endpoint(endpoint: Endpoint) -> None:
    """Raise ProviderError where no call could or should be made.

    ``endpoint_address`` (not http(s), no host, or with a password, query or fragment in it), ``endpoint_insecure``
    (plain http beyond this machine and its network: key and text could be read on the way), ``endpoint_model``.
    """
    parts = _split(endpoint.base_url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProviderError("endpoint_address", address=_shown(endpoint.base_url))
    if parts.username is not None or parts.query or parts.fragment:
        raise ProviderError("endpoint_address", address=_shown(endpoint.base_url))
    if parts.scheme == "http" and not is_near(endpoint.base_url):
        raise ProviderError("endpoint_insecure", address=_shown(endpoint.base_url))
    if not endpoint.model.strip():
        raise ProviderError("endpoint_model", endpoint=endpoint.host)


def is_near(base_url: str) -> bool:
    """Whether the address is this machine or its own network: a private number, a name without dots, ``.local``."""
    parts = _split(base_url)
    name = (parts.hostname or "") if parts else ""
    address = _ip(name)
    if address:
        return not address.is_global
    return bool(name) and (
        "." not in name or name.endswith((".local", ".lan", ".internal", ".localhost", ".home.arpa"))
    )


def resolve_key(endpoint: Endpoint, typed: str, environ: Mapping[str, str]) -> str:
    """The key to send. One that somebody typed; else the environment's, for exactly its own preset's address.

    An address on this machine or its network gets a dummy where nothing was typed, and so does ``local``.
    ProviderError: ``provider_key_missing``, ``provider_key_characters`` (a pasted sentence or full-width letters).
    """
    preset = preset_named(endpoint.preset_name)
    key = typed.strip()
    own = bool(preset.base_url) and normalise_address(endpoint.base_url) == preset.base_url
    if not key and own:
        key = environ.get(preset.key_variable, "").strip()
    if not key and (not preset.needs_key or (not own and is_near(endpoint.base_url))):
        key = NO_KEY
    if not key:
        variable = preset.key_variable if own else "—"
        raise ProviderError("provider_key_missing", endpoint=endpoint.label, variable=variable)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ProviderError("provider_key_characters", endpoint=endpoint.label)
    return key


def _split(address: str) -> SplitResult | None:
    """The parts of an address, or None where it is none (a port that is no number, a name no resolver takes)."""
    try:
        parts = urlsplit(address)
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return parts


def _shown(address: str) -> str:
    """The address without the password, query and fragment that somebody may have typed into it."""
    return address.split("?")[0].split("#")[0].rpartition("@")[2][:200] or "—"


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
