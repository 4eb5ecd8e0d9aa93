/*
 * mcpgwctl token explain: would the gateway take this token, and if not, why?
 * Judged here by the worker's own code; the token goes nowhere.
 */
#ifndef CTL_TOKEN_EXPLAIN_H
#define CTL_TOKEN_EXPLAIN_H

#define TOKEN_EXPLAIN_USAGE \
	"token explain [--json] [--keys file] [-f file] [-s socket]"
#define TOKEN_EXPLAIN_OPTIONS \
	"  -k, --keys file      a key set (JWKS), instead of the gateway's\n"

/* argc and argv as for getopt(3).  Returns the exit code: CTL_OK it would be
 * taken, CTL_FAILED it would not. */
int	token_explain(int argc, char *argv[]);

#endif
