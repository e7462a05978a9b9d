#!/usr/bin/env python3
"""Opens a result that came through the fleet's broker: docs/fleet.md.

usage: open-result.py PRIVATE-KEY.jwk < message
       open-result.py --new-key PRIVATE-KEY.jwk > PUBLIC-KEY.jwk

Needs jwcrypto (Debian: python3-jwcrypto). Any other JOSE library does the same: ECDH-ES on P-256, A256GCM.
"""

import os
import sys

from jwcrypto import jwe, jwk


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--new-key":
        key = jwk.JWK.generate(kty="EC", crv="P-256", use="enc", alg="ECDH-ES")
        with os.fdopen(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.export_private())
        print(key.export_public())
        return
    with open(sys.argv[1], encoding="ascii") as file:
        key = jwk.JWK.from_json(file.read())
    message = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
    message.deserialize(sys.stdin.read().strip(), key=key)
    sys.stdout.buffer.write(message.payload)


main()
