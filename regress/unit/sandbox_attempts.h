/*
 * What a process in a sandbox must not do, and what it lives from, each as a
 * function: at most one step, -1 with errno when it fails.
 */
#ifndef UNIT_SANDBOX_ATTEMPTS_H
#define UNIT_SANDBOX_ATTEMPTS_H

#include <stdint.h>

/* Made before the sandbox is entered, by whoever makes attempts. */
struct things {
	int		 tcp;		/* a new socket */
	int		 audit;		/* a file, O_APPEND */
	int		 sealed;	/* of memfd_seal() */
	uint16_t	 open_port;	/* somebody listens on 127.0.0.1; the */
	uint16_t	 other_port;	/* worker may connect to the first */
	char		*page;		/* 4096 bytes of memory */
};

extern struct things	things;

long	try_open_read(void);
long	try_open_write(void);
long	try_open_create(void);
long	try_open_outside(void);
long	try_open_old(void);
long	try_open_new(void);
long	try_make_directory(void);
long	try_remove_file(void);
long	try_change_mode(void);
long	try_audit_truncate(void);
long	try_audit_seek(void);
long	try_audit_pwrite(void);
long	try_audit_no_append(void);
long	try_audit_punch(void);
long	try_audit_noappend_write(void);
long	try_audit_write(void);
long	try_execute(void);
long	try_fork_process(void);
long	try_trace(void);
long	try_read_memory(void);
long	try_signal_parent(void);
long	try_signal_other_thread(void);
long	try_become_root(void);
long	try_change_root(void);
long	try_new_namespace(void);
long	try_mount_something(void);
long	try_thread_with_namespace(void);
long	try_make_dumpable(void);
long	try_raise_limit(void);
long	try_io_ring(void);
long	try_load_bpf(void);
long	try_abort_itself(void);
long	try_other_architecture(void);
long	try_start_thread(void);
long	try_thread_opens(void);
long	try_map_write_exec(void);
long	try_map_exec(void);
long	try_make_exec(void);
long	try_map_sealed(void);
long	try_make_sealed(void);
long	try_huge_memfd(void);
long	try_memory(void);
long	try_random(void);
long	try_socket_unix(void);
long	try_socket_netlink(void);
long	try_socket_netlink_other(void);
long	try_socket_udp(void);
long	try_socket_raw(void);
long	try_socket_ping(void);
long	try_socket_packet(void);
long	try_socket_mptcp(void);
long	try_bind_tcp(void);
long	try_bind_short(void);
long	try_listen_tcp(void);
long	try_connect_open(void);
long	try_connect_other(void);
long	try_fast_open(void);
long	try_fast_open_message(void);
long	try_no_delay(void);
long	try_listening_shutdown(void);
long	try_listening_disconnect(void);
long	try_listening_linger(void);
long	try_listening_high_bits(void);
long	try_listening_dup(void);
long	try_listening_dup_fcntl(void);
long	try_listening_replaced(void);
long	try_shutdown_read(void);
long	try_shutdown_write(void);
long	try_reuse_port(void);
long	try_control(void);
long	try_resolve(void);

#endif
