"""Files that may hold secrets are known by their names, or by what they begin with."""

from __future__ import annotations

from pathlib import Path

from primepods_magic.remote.agent.files.listing import list_tree
from primepods_magic.remote.values.secret_files import find_secret_files, sounds_secret_file

SECRET = (
    ".env", ".ENV", ".env~", ".env.bak", ".env.local", ".env_prod", ".envrc", "in/prod.env",
    "prod.env.local", "credentials.json", "Credentials.json", "gcp-credentials-2.json", "aws_credentials",
    "client_secret_1.json", "clientSecret.json", ".streamlit/secrets.toml", "secrets.yaml.old",
    "token.json", "service-account.json", "openai_api_key.txt", "hf_token", "id_rsa", "id_ed25519_work",
    "SERVER.PEM", "a.key", "a.ppk", "a.jks", "terraform.tfstate", "terraform.tfstate.backup", "prod.tfvars",
    ".npmrc", ".netrc", "_netrc", ".pypirc", ".htpasswd", ".git-credentials", "kaggle.json", ".aws/config",
    ".ssh/config", ".kube/config",
)  # fmt: skip
HARMLESS = (
    ".env.example", ".env.sample", "example.env", "credentials.template.json", "id_rsa.pub",
    "environment.yml", "env.py", "secrets.py", "test_credentials.py", "tokenizer.json", "tokens.json",
    "keys.csv", "token.py", "config.json", "model.pt", "data.csv", "secretary.md", ".env/lib/site.py",
    ".env/certifi/cacert.pem",
)  # fmt: skip
KEY = "hf_" + "aB3" * 11


def test_names_of_secret_files_are_known() -> None:
    assert [name for name in SECRET if not sounds_secret_file(name)] == []
    assert [name for name in HARMLESS if sounds_secret_file(name)] == []


def test_files_that_begin_with_a_key_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / ".env").mkdir()
    (tmp_path / "in/config.py").write_text(f"TOKEN = '{KEY}'\n")
    (tmp_path / "notes").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "prod.env").touch()
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    (tmp_path / "link").symlink_to("prod.env")
    found = find_secret_files(str(tmp_path), list_tree(str(tmp_path)))
    assert sorted(found) == ["in/config.py ('hf_…')", "notes ('-----BEGIN…')", "prod.env"]
