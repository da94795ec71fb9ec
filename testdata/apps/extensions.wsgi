"""Real work with C extensions, one path each; ?threads=n does it in n threads of the request's at once."""
import hashlib
import threading


def do_lxml():
    from lxml import etree
    tree = etree.fromstring("<list>" + "<item a='ä'>text</item>" * 200 + "</list>")
    sheet = etree.XSLT(etree.XML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/>'
                                 '<xsl:template match="/"><xsl:value-of select="count(//item)"/></xsl:template></xsl:stylesheet>'))

    twice = {(None, "twice"): lambda context, n: n * 2}  # called from C in the middle of evaluating
    try:
        etree.fromstring("<open>")
    except etree.XMLSyntaxError:
        return "%s %d %s" % (sheet(tree), len(tree.xpath("//item[@a='ä']")), tree.xpath("twice(21)", extensions=twice))


def do_markupsafe():
    import markupsafe
    from markupsafe import _speedups
    return str(markupsafe.escape("<&>") + markupsafe.Markup("<b>%s</b>") % "<i>") + " " + _speedups.escape.__module__


def do_yaml():
    import yaml
    data = {"a": [1, 2.5, None, True], "ü": "text\n" * 3}
    again = yaml.load(yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True), Loader=yaml.CSafeLoader)
    return str(again == data)


def do_psycopg2():
    import datetime
    import psycopg2
    from psycopg2 import extensions
    adapted = extensions.adapt([datetime.date(2026, 1, 2), 3, "it's", None, 1.5]).getquoted()
    cast = extensions.PYDATE("2026-01-02", None) == datetime.date(2026, 1, 2)
    decimal = str(extensions.DECIMAL("1.50", None))
    try:
        psycopg2.connect("host=127.0.0.1 port=1 connect_timeout=2")
    except psycopg2.OperationalError as problem:
        return "%s %s %s %s" % (adapted.decode(), cast, decimal, "refused" in str(problem))


def do_cryptography():
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    box = Fernet(Fernet.generate_key())
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"data", ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, b"data", ec.ECDSA(hashes.SHA256()))
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return box.decrypt(box.encrypt(b"secret")).decode() + " " + pem.decode()[5:15]


def do_numpy():
    import numpy
    matrix = numpy.arange(10000, dtype=float).reshape(100, 100)
    product = matrix @ numpy.linalg.inv(matrix + numpy.eye(100) * 1e6)
    return "%s %s" % (product.shape, numpy.isfinite(product).all())


def do_sqlite3():
    import sqlite3
    base = sqlite3.connect(":memory:")
    base.create_function("double", 1, lambda n: n * 2)  # calls back through PyGILState_Ensure
    return str(base.execute("select double(21)").fetchone()[0])


def do_ctypes():
    import ctypes
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
    ctypes.CDLL(None).qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    return str(list(numbers))


def application(environ, start_response):
    work = globals()["do_" + environ["PATH_INFO"].strip("/")]
    results = [work()]
    count = int(environ["QUERY_STRING"].removeprefix("threads=") or 0)
    threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = (results[0] if len(results) == count + 1 and len(set(results)) == 1 else repr(results)).encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("X-Digest", hashlib.md5(body).hexdigest())])
    return [body]
