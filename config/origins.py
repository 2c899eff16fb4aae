"""Where the site is reached: its own address and, where no proxy stands in front, the control process beside it."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def site_origin() -> str:
    return _origin(settings.BASE_URL)


def control_origin() -> str | None:
    """Of the control process, where it is another than the site's and whoever is signed in at one is at the other.

    Cookies and passkeys belong to a host name, whatever the port.
    """
    site, control = urlsplit(settings.BASE_URL), urlsplit(settings.CONTROL_URL)
    is_same_host = (site.scheme, site.hostname) == (control.scheme, control.hostname)
    return _origin(settings.CONTROL_URL) if is_same_host and site.netloc != control.netloc else None


def origins() -> list[str]:
    """Those at which one signs in."""
    return [each for each in (site_origin(), control_origin()) if each]


def beside(request: HttpRequest, path: str, *, in_control: bool) -> str:
    """A page's address: at the control process for controls, at the site for all others.

    Whoever came by another name (a proxy's, a tunnel's) stays at it: they are signed in there alone.
    """
    wanted = control_origin() if in_control else site_origin()
    here = f"{request.scheme}://{request.get_host()}"
    return path if wanted is None or here == wanted or here not in origins() else wanted + path


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"
