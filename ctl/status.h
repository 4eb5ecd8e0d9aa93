/*
 * mcpgwctl status, workers, upstreams, jwks and sessions: what the running
 * gateway says of itself.  Each takes argc and argv as for getopt(3), and
 * returns the exit code.
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#define STATUS_USAGE	"status [--json] [-f file] [-s socket]"
#define WORKERS_USAGE	"workers [--json] [-f file] [-s socket]"
#define UPSTREAMS_USAGE	"upstreams [--json] [-f file] [-s socket]"
#define JWKS_USAGE	"jwks [--json] [-f file] [-s socket]"
#define SESSIONS_USAGE	"sessions [--json] [-f file] [-s socket]"

int	status(int argc, char *argv[]);
int	workers(int argc, char *argv[]);
int	upstreams(int argc, char *argv[]);
int	jwks(int argc, char *argv[]);
int	sessions(int argc, char *argv[]);

#endif
