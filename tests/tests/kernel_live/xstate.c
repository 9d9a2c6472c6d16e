/* Loaded into User-Mode Linux: kernels since 5.16 take the registers of a process only whole (x86's xstateregs_set), and
 * a User-Mode Linux of 6.1 writes back no more than it knows, less than a processor with AVX-512 or AMX has. What it
 * leaves out is given as the process has it. */
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long call(long request, long pid, void *address, void *data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

long replaced(long request, pid_t pid, void *address, void *data) __asm__("ptrace");

long replaced(long request, pid_t pid, void *address, void *data)
{
    static unsigned char whole[65536] __attribute__((aligned(64)));
    struct iovec *given = data, all = { whole, sizeof whole };
    long word;

    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE
        && call(PTRACE_GETREGSET, pid, address, &all) == 0 && given->iov_len < all.iov_len) {
        memcpy(whole, given->iov_base, given->iov_len);
        return call(request, pid, address, &all);
    }
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER)
        return call(request, pid, address, &word) < 0 ? -1 : word;
    return call(request, pid, address, data);
}
