"""Settings: each value with where it came from; this machine examined; the project checked."""

import pandas as pd
import streamlit as st

from workbench.components.shell import current_language, page, plain, t
from workbench.i18n import translate
from workbench.settings import NAMES, variable
from workbench.tasks.backups import examine_home
from workbench.tasks.doctor import examine

with page("settings") as app:
    st.markdown(f"**{t('settings.home')}**")
    st.code(str(app.home.path), language=None)
    origins = {name: app.settings.origin[name] for name in NAMES}
    st.dataframe(
        pd.DataFrame(
            {
                t("settings.name"): list(NAMES),
                t("settings.value"): [str(getattr(app.settings, name)) for name in NAMES],
                t("settings.origin"): [
                    t("settings.default") if origins[name] == "default" else origins[name] for name in NAMES
                ],
                t("settings.variable"): [variable(name) for name in NAMES],
            }
        ),
        hide_index=True,
    )
    st.caption(t("settings.file_hint"))
    left, right = st.columns(2)
    with left:
        st.subheader(t("settings.doctor"))
        if st.button(t("settings.doctor"), icon=":material/stethoscope:"):
            with st.spinner(t("browse.working")):
                report = examine(app.home, "")
            for key, details in report.lines:
                st.markdown("- " + plain(translate(key, current_language(), **details)))
    with right:
        st.subheader(t("settings.check"))
        if st.button(t("settings.check"), icon=":material/fact_check:"):
            problems = examine_home(app.home, app.db)
            for problem in problems:
                details = {name: plain(str(detail)) for name, detail in problem.items()}
                st.error(t(f"check.{problem['what']}", **details))
            if not problems:
                st.success(t("check.sound"))
        st.caption(t("settings.backup_hint"))
        st.code(f'songclip --home "{app.home.path}" backup songclip-backup.zip', language=None)
