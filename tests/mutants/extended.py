"""The reference configuration and profile with a session that plays EXTENDED, so that every scenario applies."""

from pathlib import Path

from tests.gateway import ROOT, edit_session, write_config

SESSION = 'dialect = "extended"\ndisconnect_override = true\ndisconnect_window_ms = 1500'
"""What TRADER39 is configured with besides."""

STRANGER = 'username = "TRADER39"\npassword = "trader39-demo"\nuser = "39"\ndialect = "strict"\n'
EXTENDED = f'comp_id = "TRADER39"\n{STRANGER.replace("strict", "extended")}'


def write(directory: Path) -> tuple[Path, Path]:
    """Write the configuration and the profile into `directory`; where they are."""
    config = write_config(directory / "config", edit_session("TRADER39", SESSION))
    text = (ROOT / "config" / "certify-fixgw.toml").read_text()
    if STRANGER not in text:
        raise AssertionError("the profile does not have STRANGER as it is known here")
    text = text.replace(STRANGER, STRANGER.replace("strict", "extended"))
    profile = directory / "config" / "certify.toml"
    profile.write_text(f"{text}\n[roles.EXTENDED]\n{EXTENDED}")
    return config, profile
