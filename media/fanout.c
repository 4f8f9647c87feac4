/* One packet to many endpoints: copied, encrypted and sent for each, in one call that does not hold Python's lock.
 *
 * `struct outlet` is media/outlet.py; `protect` is srtp_protect of the libsrtp that made the sessions. Only the thread
 * that calls fan_out changes outlets, so nothing here needs a lock.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { LONGEST_PACKET = 1300, TRAILER = 144 /* SRTP_MAX_TRAILER_LEN */ };

struct outlet {
    void *session;
    uint64_t dropped;
    uint64_t refused;
    int32_t fd;
    uint32_t address_bytes;
    unsigned char address[28];
};

typedef int (*protect_function)(void *session, void *packet, int *bytes);

/* The size of the shared record, so that a library of another layout is refused. */
int fan_out_record_bytes(void) { return (int)sizeof(struct outlet); }

/* Returns how many outlets took the packet. */
int fan_out(protect_function protect, struct outlet *const *outlets, int count, const void *packet, int bytes) {
    union {
        uint64_t aligned; /* libsrtp reads the header in words */
        unsigned char octets[LONGEST_PACKET + TRAILER];
    } buffer;
    int taken = 0;
    for (int i = 0; i < count; i++) {
        struct outlet *outlet = outlets[i];
        int length = bytes;
        if (outlet->fd < 0) continue;
        if (bytes < 0 || bytes > LONGEST_PACKET) {
            outlet->refused++;
            continue;
        }
        memcpy(buffer.octets, packet, (size_t)bytes);
        if (protect(outlet->session, buffer.octets, &length) != 0) {
            outlet->refused++;
            continue;
        }
        if (sendto(outlet->fd, buffer.octets, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)(const void *)outlet->address, outlet->address_bytes) == length)
            taken++;
        else
            outlet->dropped++;
    }
    return taken;
}
