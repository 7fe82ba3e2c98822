"""Write a Java trust store of a PEM bundle: ``python truststore.py BUNDLE STORE WORD``.

Run by the project's own Python (it needs ``cryptography``). Behind a proxy with a certificate
of its own, pip and Python read SSL_CERT_FILE; Java doesn't, and would refuse the connection.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12


def write_store(bundle: Path, store: Path, word: str) -> None:
    """Put every certificate of the bundle into the store."""
    end = b"-----END CERTIFICATE-----"
    trusted = []
    for number, part in enumerate(bundle.read_bytes().split(end)[:-1]):
        with contextlib.suppress(ValueError):  # one that no reader takes can't be trusted either
            certificate = x509.load_pem_x509_certificate(part + end)
            trusted.append(pkcs12.PKCS12Certificate(certificate, str(number).encode()))
    store.write_bytes(
        pkcs12.serialize_java_truststore(trusted, BestAvailableEncryption(word.encode()))
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # old public certificates have odd serial numbers
    write_store(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
