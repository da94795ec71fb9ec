"""Prepares the build for the Python that runs this file.

Writes python3-embed.pc into the folder named by the first argument, so that pkg-config finds this Python and no other,
and prints what a Makefile or shell wants to know. A Python that cannot be embedded ends with one line on stderr.
Kept to syntax that every Python 3 understands, so that an old one gets the line rather than a SyntaxError.
"""
import os
import sys
import sysconfig

OLDEST, NEWEST = (3, 10), (3, 14)


def fail(reason):
    sys.stderr.write("build: " + sys.executable + ": " + reason + "\n")
    sys.exit(1)


def main(folder):
    version = sys.version_info[:2]
    name = "%d.%d" % version
    if not OLDEST <= version <= NEWEST:
        fail("is Python %s; versions %d.%d to %d.%d can be built for (choose one with PYTHON=/path/to/python3.x)"
             % ((name,) + OLDEST + NEWEST))
    get = sysconfig.get_config_var
    headers = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(headers, "Python.h")):
        fail("its header Python.h is missing in %s: install the package libpython%s-dev (or libpython3-dev)" % (headers, name))
    if not get("Py_ENABLE_SHARED"):
        fail("was built without a shared library: install the package libpython%s-dev, or build Python with --enable-shared" % name)
    library = os.path.join(get("LIBDIR"), get("LDLIBRARY"))
    if not os.path.exists(library):
        fail("its library %s is missing: install the package libpython%s-dev (or libpython3-dev)" % (library, name))

    # A Python outside the loader's usual folders must be found where it is; a system's own must not be tied to a folder.
    system = get("LIBDIR").startswith(("/usr/lib", "/lib"))
    runpath = "" if system else " -Wl,-rpath," + get("LIBDIR")
    text = "\n".join([
        "Name: Python",
        "Description: %s, for embedding" % sys.executable,
        "Version: " + name,
        "Libs: -L%s -lpython%s%s" % (get("LIBDIR"), get("LDVERSION"), runpath),
        "Cflags: -I" + headers,
        "",
    ])
    path = os.path.join(folder, "python3-embed.pc")
    try:
        with open(path) as old:
            unchanged = old.read() == text
    except IOError:
        unchanged = False
    if not unchanged:
        with open(path + ".new", "w") as new:
            new.write(text)
        os.replace(path + ".new", path)
    sys.stdout.write("-I%s\n" % headers)


main(sys.argv[1])
