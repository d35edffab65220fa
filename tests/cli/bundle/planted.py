"""Secrets of every kind, in every form that they are written in, each telling its own name where it is found."""

from __future__ import annotations

import base64
import json

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo"
PLAIN_TOKEN = "opaque-s3rvice-tok3n-31415926"
KEY_LINES = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "Y9lQ2mK4xq7Vb1uT8cRz0NfWkLhGJdPsXeAoIiUw", "Zm9vYmFyYmF6cXV4"]
PEM = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *KEY_LINES, "-----END RSA PRIVATE KEY-----"])
PASSWORDS = {name: f"hunter-{name}-x7Q9" for name in ("json", "yaml", "log", "url", "basic", "exec", "nad", "block")}
PASSWORDS |= {name: f"S3same-{name}-k2Vp" for name in ("escaped", "broken", "option", "args", "wrapped", "go", "env")}
PSK = "correct horse battery staple"


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


BASIC = coded(f"admin:{PASSWORDS['basic']}")
_TEXT = coded(f"some text that is longer than that, password: {PASSWORDS['wrapped']}, and more of it behind the secret")
WRAPPED = "\n".join(_TEXT[at : at + 76] for at in range(0, len(_TEXT), 76))
"""In lines, as `base64` has them; the secret begins in one and ends in the next."""

KUBECONFIG = f"""apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://10.96.0.1:443
    certificate-authority: ca.crt
contexts:
- name: x
  context: {{cluster: c, user: u}}
current-context: x
users:
- name: u
  user:
    tokenFile: token
    token: {PLAIN_TOKEN}
    client-key-data: {coded(PEM)}
    username: admin
    password: {PASSWORDS["yaml"]}
    exec:
      command: /usr/bin/get-token
      args: ["--client-secret", "{PASSWORDS["args"]}"]
      env:
      - name: HARMLESS_NAME
        value: {PASSWORDS["exec"]}
"""

CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "planted",
    "plugins": [
        {
            "type": "bridge",
            "wifi": {"psk": PSK, "PassPhrase": PASSWORDS["json"]},
            "proxy": f"https://user:{PASSWORDS['url']}@proxy.example:3128/",
            "ca": PEM,
            "headers": [f"Authorization: Bearer {TOKEN}", f"Authorization: Basic {BASIC}"],
            "inner": json.dumps({"db": {"password": PASSWORDS["escaped"]}}),
            "command": ["agent", "--token", PASSWORDS["args"], "--verbose"],
            "env": [{"name": "PLACE", "value": PASSWORDS["env"]}],
            "blob": coded(TOKEN),
        }
    ],
}

BROKEN = f"""{{"cniVersion": "1.0.0", "name": "broken",
  "password": "{PASSWORDS["broken"]}",
  "token":
     "{PLAIN_TOKEN}",
  "note": "{{\\"secret\\": \\"{PASSWORDS["escaped"]}\\"}}",
"""

BLOCK = f"""kind: NetworkAttachmentDefinition
apiKey: |
  {PASSWORDS["block"]}
  {KEY_LINES[1]}
psk: {PSK}
other: kept-in-the-block
"""

LOG = f"""2026-11-22T01:01:01Z [error] cannot reach it: Authorization: Bearer {PLAIN_TOKEN}, status 401
2026-11-22T01:01:02Z [error] delegate says password={PASSWORDS["log"]} port=80 kept-in-the-log
2026-11-22T01:01:03Z [verbose] {{"msg":"x","secret":"{PASSWORDS["json"]}","container":"4f2a6c1e9b7d"}}
2026-11-22T01:01:04Z [verbose] executed agent --password {PASSWORDS["option"]} --verbose
2026-11-22T01:01:05Z [verbose] map[user:admin password:{PASSWORDS["go"]}]
2026-11-22T01:01:06Z [verbose] GET https://admin:{PASSWORDS["url"]}@10.0.0.1/x?token={PLAIN_TOKEN}&a=1
2026-11-22T01:01:07Z [verbose] the plugin said hunter: {PASSWORDS["yaml"]} is not accepted
{PEM}
2026-11-22T01:01:08Z [verbose] {coded(json.dumps({"token": PLAIN_TOKEN}))}
2026-11-22T01:01:09Z [verbose] key in one line: {PEM.encode().decode().replace(chr(10), chr(92) + "n")}
{WRAPPED}
2026-11-22T01:01:10Z [verbose] psk "{PSK}"
"""

CUT = "\n".join([KEY_LINES[1], KEY_LINES[2], "-----END RSA PRIVATE KEY-----", "kept-behind-the-key", ""])
"""A log that was cut in the middle of a key."""


def forms() -> dict[str, str]:
    """What must not be found anywhere, by what it is."""
    secrets = {f"password {name}": text for name, text in PASSWORDS.items()}
    secrets |= {f"line {at} of the key": line for at, line in enumerate(KEY_LINES)}
    secrets |= {"token": TOKEN, "token's signature": TOKEN.rpartition(".")[2], "opaque token": PLAIN_TOKEN, "psk": PSK}
    shapes = {f"{name} in base64": coded(text) for name, text in secrets.items()}
    shapes |= {"basic": BASIC, "key in base64": coded(PEM)[:60], "wrapped": WRAPPED.split("\n")[1][:30]}
    return {**secrets, **shapes}
