"""Choosing who makes suggestions: the offline rules, or a model behind an OpenAI-compatible address."""

import asyncio
import os
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from core.annotation.endpoints import PRESETS, Endpoint, check_endpoint, normalise_address, resolve_key
from core.annotation.prompts import DEFAULT_PROMPT, Prompt
from core.errors import SongclipError
from db.prompts import Prompts
from workbench.components.shell import App, notice_later, plain, sorry, t
from workbench.tasks.asking import try_connection
from workbench.tasks.estimating import estimate

OFFLINE = "offline"


@dataclass(frozen=True)
class Chosen:
    """The parameters of the job, and the key somebody typed; the key is never among the parameters."""

    params: dict[str, Any]
    key: str = ""

    def check(self) -> None:
        """Raise ProviderError for an address, model or key that cannot work, before a job is made of it."""
        if "endpoint" in self.params:
            endpoint = Endpoint(**self.params["endpoint"])
            check_endpoint(endpoint)
            resolve_key(endpoint, self.key, os.environ)


def provider_form(app: App, ids: list[int]) -> Chosen:
    """Draw the form; for a model also the estimate, the connection test and the prompt's editor."""
    names = [OFFLINE, *PRESETS]
    first = names.index(app.settings.provider) if app.settings.provider in names else 0
    name = st.segmented_control(
        t("annotate.provider"), names, default=names[first], required=True, format_func=lambda n: t(f"providers.{n}")
    )
    st.caption(t(f"providers.{name}_hint"))
    if name == OFFLINE or name is None:
        return Chosen({"provider": OFFLINE})
    endpoint, typed = _endpoint(name)
    prompt, shots, concurrency = _options(app)
    _connection(endpoint, typed)
    if ids:
        _estimate(app, ids, endpoint, prompt, shots)
    _editor(app, prompt)
    params = {
        "provider": name,
        "endpoint": asdict(endpoint),
        "prompt": prompt.id,
        "examples": shots,
        "concurrency": concurrency,
    }
    return Chosen(params, typed)


def _endpoint(name: str) -> tuple[Endpoint, str]:
    preset = PRESETS[name]
    left, middle, right = st.columns(3)
    address = left.text_input(t("annotate.address"), preset.base_url, key=f"address-{name}", persist_state="session")
    model = middle.selectbox(
        t("annotate.model"), list(preset.models), accept_new_options=True, key=f"model-{name}", persist_state="session"
    )
    from_environment = bool(preset.key_variable and os.environ.get(preset.key_variable))
    hint = t("annotate.key_found", name=preset.key_variable) if from_environment else t("annotate.key_hint")
    typed = right.text_input(
        t("annotate.key"), type="password", key=f"key-{name}", help=t("annotate.key_help"), placeholder=hint
    )
    with st.expander(t("annotate.limits"), icon=":material/speed:"):
        columns = st.columns(5)
        requests = columns[0].number_input(
            t("annotate.rpm"), 0, 100_000, preset.requests_per_minute or 0, help=t("annotate.no_limit")
        )
        tokens = columns[1].number_input(
            t("annotate.tpm"), 0, 100_000_000, preset.tokens_per_minute or 0, help=t("annotate.no_limit")
        )
        temperature = columns[2].number_input(t("annotate.temperature"), 0.0, 2.0, 0.1, 0.1)
        longest = columns[4].number_input(t("annotate.max_tokens"), 0, 1_000_000, 0, help=t("annotate.max_tokens_help"))
        timeout = columns[3].number_input(t("annotate.timeout"), 5, 1800, 120)
    endpoint = Endpoint(
        preset_name=name,
        base_url=normalise_address(address or ""),
        model=(model or "").strip(),
        requests_per_minute=int(requests) or None,
        tokens_per_minute=int(tokens) or None,
        temperature=float(temperature),
        timeout=float(timeout),
        max_tokens=int(longest) or None,
        json_mode=preset.json_mode,
    )
    return endpoint, (typed or "").strip()


def _options(app: App) -> tuple[Prompt, int, int]:
    prompts = {prompt.id: prompt for prompt in Prompts(app.db).all()}
    left, middle, right = st.columns(3)
    chosen = left.selectbox(t("annotate.prompt"), list(prompts))
    shots = middle.number_input(t("annotate.examples"), 0, 8, 0, help=t("annotate.examples_help"))
    concurrency = right.number_input(t("annotate.concurrency"), 1, 64, 8, help=t("annotate.concurrency_help"))
    return prompts.get(chosen or "", DEFAULT_PROMPT), int(shots), int(concurrency)


def _connection(endpoint: Endpoint, typed: str) -> None:
    if not st.button(t("annotate.test"), icon=":material/network_check:"):
        return
    try:
        check_endpoint(endpoint)
        with st.spinner(t("browse.working")):
            reply = asyncio.run(try_connection(endpoint, resolve_key(endpoint, typed, os.environ)))
    except SongclipError as error:
        st.error(sorry(error))
    else:
        st.success(t("annotate.connected", model=plain(reply.model or endpoint.model), seconds=f"{reply.seconds:.1f}"))


def _estimate(app: App, ids: list[int], endpoint: Endpoint, prompt: Prompt, shots: int) -> None:
    left, right = st.columns(2)
    price_in = left.number_input(t("annotate.price_in"), 0.0, 1000.0, 0.0, help=t("annotate.price_help"))
    price_out = right.number_input(t("annotate.price_out"), 0.0, 1000.0, 0.0)
    found = estimate(app.db, ids, endpoint, prompt, shots=shots)
    sentence = t(
        "annotate.estimate",
        passages=f"{found.passages:,}",
        requests=f"{found.requests:,}",
        tokens_in=f"{found.tokens_in:,}",
        tokens_out=f"{found.tokens_out:,}",
        stored=f"{found.stored:,}",
    )
    if price_in or price_out:
        sentence += " " + t("annotate.cost", cost=f"{found.cost(price_in, price_out):.2f}")
    st.info(sentence, icon=":material/calculate:")


def _editor(app: App, prompt: Prompt) -> None:
    with st.expander(t("annotate.edit_prompt"), icon=":material/edit_note:"), st.form(f"prompt-{prompt.id}"):
        st.caption(t("annotate.edit_prompt_help"))
        name = st.text_input(t("annotate.prompt_name"), prompt.name, max_chars=40)
        system = st.text_area(t("annotate.prompt_system"), prompt.system, height=120)
        instructions = st.text_area(t("annotate.prompt_instructions"), prompt.instructions, height=360)
        if st.form_submit_button(t("annotate.save_prompt")):
            try:
                new = Prompts(app.db).add(name.strip() or prompt.name, system, instructions, who=app.who)
            except SongclipError as error:
                st.error(sorry(error))
            else:
                notice_later(t("annotate.prompt_saved", prompt=new.id))
                st.rerun()
