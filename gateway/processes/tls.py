"""TLS for https: the certificate and what is spoken with it."""

import ssl

from roost.shared.failures import CannotStart


def server_context(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, with this certificate. Raises CannotStart if the files are not what they should be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = certfile if keyfile is None else f"{certfile} and {keyfile}"
        raise CannotStart(f"no certificate and key for https in {files}: {_reason(error)}") from None
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; decrypt it first (openssl pkey -in KEY -out DECRYPTED)")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "they are not in PEM format, or do not belong together"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
