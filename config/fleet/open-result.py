#!/usr/bin/env python3
"""Opens a result that came through the fleet's broker, and tells which desk signed it: docs/fleet.md.

usage: open-result.py PRIVATE-KEY.jwk DESKS < message
       open-result.py --new-key PRIVATE-KEY.jwk > PUBLIC-KEY.jwk

DESKS is a file with a line for each desk: its name, a blank, and its id, which `cccd-agent evidence-key` prints there behind --agent-key.
What is printed is one line of JSON: desk, key (take each once), signed (seconds since 1970) and result.

Needs jwcrypto (Debian: python3-jwcrypto). Any other JOSE library does the same: ECDH-ES on P-256 and A256GCM outside,
ES256 inside.
"""

import json
import os
import sys

from jwcrypto import jwe, jwk, jws


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--new-key":
        key = jwk.JWK.generate(kty="EC", crv="P-256", use="enc", alg="ECDH-ES")
        with os.fdopen(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.export_private())
        print(key.export_public())
        return
    with open(sys.argv[1], encoding="ascii") as file:
        key = jwk.JWK.from_json(file.read())
    with open(sys.argv[2], encoding="utf-8") as file:
        desks = dict(line.split() for line in file if line.strip())
    sealed = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
    sealed.deserialize(sys.stdin.read().strip(), key=key)
    signed = jws.JWS()
    signed.allowed_algs = ["ES256"]
    signed.deserialize(sealed.payload.decode("ascii"))
    header = signed.jose_header
    if header.get("typ") != "cccd-result+jwt":
        sys.exit("not a result")
    # The key in the header is anybody's until its thumbprint is that of a desk we know.
    signer = jwk.JWK(**header["jwk"])
    signed.verify(signer)
    claims = json.loads(signed.payload)
    if desks.get(claims["sub"]) != signer.thumbprint() or claims["iss"] != signer.thumbprint():
        sys.exit("signed by no desk of this name")
    told = {"desk": claims["sub"], "key": claims["jti"], "signed": claims["iat"], "result": claims["result"]}
    print(json.dumps(told, ensure_ascii=False))


main()
