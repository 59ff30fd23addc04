"""Page set-up and navigation; `app/asgi.py` serves it, with the API beside it."""

from pathlib import Path

import streamlit as st

# A file of our own: an icon by name would be fetched from elsewhere.
ICON = str(Path(__file__).with_name("icon.svg"))

st.set_page_config(page_title="AION search", page_icon=ICON, layout="wide")
# The search page is the default one: it lives at `/`, so a question's address is `/?q=…`.
st.navigation(
    [
        st.Page("views/search.py", title="AION search", default=True),
        st.Page("views/compare.py", title="Two objects · AION search", url_path="compare"),
        st.Page("views/lists.py", title="A list · AION search", url_path="list"),
        st.Page("views/map.py", title="Map · AION search", url_path="map"),
        st.Page("views/saved.py", title="Saved · AION search", url_path="saved"),
        st.Page("views/discordant.py", title="Discordant · AION search", url_path="discordant"),
        st.Page("views/about.py", title="This index · AION search", url_path="about"),
    ],
    position="hidden",
).run()
