/*
 * mcpgwctl reload, drain and log: what the running gateway is told.  Each
 * takes argc and argv as for getopt(3), and returns the exit code.
 */
#ifndef CTL_ORDERS_H
#define CTL_ORDERS_H

#define RELOAD_USAGE	"reload [--json] [-f file] [-s socket]"
#define DRAIN_USAGE	"drain [--off] [--json] [-f file] [-s socket]"
#define DRAIN_OPTIONS \
	"  --off                take requests as usual again\n"
#define LOG_USAGE	"log [--json] [-f file] [-s socket] level"
#define LOG_OPTIONS \
	"  level                debug, info, warning or error\n"

/* Waits for the verdict.  CTL_BAD_CONFIG when the gateway refuses the file.
 * Without a control socket it sends a SIGHUP, after checking the file. */
int	order_reload(int argc, char *argv[]);
int	order_drain(int argc, char *argv[]);
int	order_log(int argc, char *argv[]);

#endif
