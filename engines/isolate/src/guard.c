/*
 * The part of the guard that Rust cannot express: sigsetjmp returns twice, which no Rust function may do.
 *
 * The jump buffer is the caller's and lies outside everything that a rewind touches. Signal masks are not saved (that
 * would cost a system call per run); the caller sets the mask anew after a run that ended early.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stddef.h>

extern int edgehook_isolate_inside(void);

size_t edgehook_guard_size(void)
{
    return sizeof(sigjmp_buf);
}

/* 0 when body returned, 1 when edgehook_guard_leave ended it. */
int edgehook_guard_call(void *buffer, void (*body)(void *), void *data)
{
    if (sigsetjmp(*(sigjmp_buf *)buffer, 0) != 0)
        return 1;
    body(data);
    return 0;
}

_Noreturn void edgehook_guard_leave(void *buffer)
{
    siglongjmp(*(sigjmp_buf *)buffer, 1);
}

#ifdef __GLIBC__
/*
 * Destructors of thread-locals register here when a thread-local is first used. Those of a guest are never run, since
 * its thread-locals are forgotten; and the C library would allocate for each, which nothing may do inside a guest.
 */
typedef int (*register_destructor)(void (*)(void *), void *, void *);

int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library)
{
    register_destructor original;
    if (edgehook_isolate_inside())
        return 0;
    original = (register_destructor)dlsym(RTLD_NEXT, "__cxa_thread_atexit_impl");
    return original ? original(destructor, object, library) : -1;
}
#endif
