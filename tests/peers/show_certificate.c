/* Has every TLS context of a process show a certificate, and trust an authority: preloaded into programs of libqi, whose Python
 * binding has no way to say so. SHOWN_CERT, SHOWN_KEY and SHOWN_CA are PEM files. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

static int is_libssl(struct dl_phdr_info *library, size_t size, void *found)
{
    (void)size;
    if (!strstr(library->dlpi_name, "libssl"))
        return 0;
    *(void **)found = dlopen(library->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
    return 1;
}

void *SSL_CTX_new(const void *method)
{
    void *ssl = NULL;
    dl_iterate_phdr(is_libssl, &ssl);
    void *(*new_context)(const void *) = (void *(*)(const void *))dlsym(ssl, "SSL_CTX_new");
    int (*show)(void *, const char *) = (int (*)(void *, const char *))dlsym(ssl, "SSL_CTX_use_certificate_chain_file");
    int (*prove)(void *, const char *, int) = (int (*)(void *, const char *, int))dlsym(ssl, "SSL_CTX_use_PrivateKey_file");
    int (*trust)(void *, const char *, const char *) =
        (int (*)(void *, const char *, const char *))dlsym(ssl, "SSL_CTX_load_verify_locations");
    void *context = new_context(method);
    if (show(context, getenv("SHOWN_CERT")) != 1 || prove(context, getenv("SHOWN_KEY"), 1) != 1 ||
        trust(context, getenv("SHOWN_CA"), NULL) != 1)
        abort();
    return context;
}
