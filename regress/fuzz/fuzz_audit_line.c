/*
 * Lines of an audit log as mcpgwctl reads them: whatever is in one, texts fit
 * their buffers, end where they end, and show nothing that a terminal obeys.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/audit_entry.h"
#include "ctl/audit_filter.h"
#include "ctl/text.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
show(const char *s, int width)
{
	char	 fit[TEXT_SIZE(64)], *p;
	int	 n;

	n = text_fit(s, width, fit, TEXT_SIZE((size_t)width));
	if (n > width || n != text_width(fit))
		abort();
	for (p = fit; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int		 ready;
	struct audit_filter	 f;
	struct audit_entry	 e;
	char			 text[40];
	int			 i;

	if (!ready) {
		setenv("LC_ALL", "C.UTF-8", 1);
		text_init();
		ready = 1;
	}
	if (audit_entry_read(&e, (struct slice){ (const char *)data, len }) !=
	    NULL)
		return (0);
	audit_filter_init(&f);
	(void)audit_filter_option(&f, 256 + AUDIT_CLIENT, "a*b?[c-d]");
	(void)audit_filter_fits(&f, &e);
	(void)audit_entry_requests(&e);
	for (i = 0; i < AUDIT_FIELDS; i++) {
		(void)audit_entry_text(&e, (enum audit_field)i, text,
		    sizeof(text));
		if (strlen(text) >= sizeof(text))
			abort();
		show(text, i);
		(void)audit_entry_number(&e, (enum audit_field)i);
	}
	show(audit_entry_client(&e, text, sizeof(text)), 20);
	show(audit_entry_reason(&e, text, sizeof(text)), 64);
	return (0);
}
