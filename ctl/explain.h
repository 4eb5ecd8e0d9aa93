/*
 * mcpgwctl explain: what became of a request, by its line in the audit log; or
 * what would become of one, by the configuration.
 */
#ifndef CTL_EXPLAIN_H
#define CTL_EXPLAIN_H

#define EXPLAIN_USAGE \
	"explain [--json] [-f file] --request-id id | [--tool name] " \
	"[--client id]\n" \
	"           [--upstream name] [--method name] [--arguments json] " \
	"[--scopes list]"
#define EXPLAIN_OPTIONS \
	"  -i, --request-id id  a request of the audit log: X-Request-Id\n" \
	"Or what is asked, and by whom:\n" \
	"  --tool name          of a tool, prompt or resource\n" \
	"  --method name        such as tools/call, the default with --tool\n" \
	"  --arguments json     what the tool is given\n" \
	"  --upstream name      instead of the default\n" \
	"  --client id          an OAuth client, or the id of an API key\n" \
	"  --scopes list        what it may do\n"

/* argc and argv as for getopt(3).  Returns the exit code: CTL_OK it was
 * allowed, or nothing refuses it; CTL_FAILED it was, or would be, refused. */
int	explain(int argc, char *argv[]);

#endif
