/*
 * pam_moody — a PAM module for tests that does what its arguments in the service file say.
 *
 *	auth=N acct=N	the codes it answers with
 *	ask=N		asks for the password so many times; one that is not "pencil" is PAM_AUTH_ERR
 *	name		asks for the login, too, and it must be PAM_USER
 *	text strange	tells something; asks for something that no program knows
 *	seen		the items that a service may look at must be there
 *	user=NAME	knows the user by this name
 *	slow hang die	wants a long delay of failures; does not answer; ends the process
 *	once		denies whoever comes into a process where somebody has been
 *	search=HEX	denies when these bytes, each changed by MASK, are anywhere in this process where they could be written
 */
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
value(int argc, const char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], name, len) == 0 && (argv[i][len] == '\0' || argv[i][len] == '='))
			return argv[i][len] == '=' ? argv[i] + len + 1 : "";
	return NULL;
}

/* The answer must be `wanted` when that is not NULL. */
static int
ask(pam_handle_t *pam, int style, const char *wanted)
{
	const struct pam_message message = { style, "?" }, *messages = &message;
	const struct pam_conv *conv = NULL;
	struct pam_response *answer = NULL;
	int code = pam_get_item(pam, PAM_CONV, (const void **)&conv);

	if (code == PAM_SUCCESS)
		code = conv->conv(1, &messages, &answer, conv->appdata_ptr);
	if (code != PAM_SUCCESS)
		return code;
	if (wanted != NULL && (answer->resp == NULL || strcmp(answer->resp, wanted) != 0))
		code = PAM_AUTH_ERR;
	free(answer->resp);
	free(answer);
	return code;
}

#define MASK	0x55

static bool
holds(const unsigned char *mem, size_t len, const unsigned char *pattern, size_t wanted)
{
	for (size_t i = 0; i + wanted <= len; i++) {
		size_t same = 0;

		while (same < wanted && (mem[i + same] ^ MASK) == pattern[same])
			same++;
		if (same == wanted)
			return true;
	}
	return false;
}

static bool
finds(const char *hex)
{
	unsigned char pattern[64];
	size_t len = 0;
	unsigned byte;
	unsigned long from, to;
	char line[512], rights[8];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	for (; len < sizeof(pattern) && sscanf(hex + 2 * len, "%2x", &byte) == 1; len++)
		pattern[len] = (unsigned char)byte;
	while (maps != NULL && !found && fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strncmp(rights, "rw", 2) == 0)
			found = holds((const unsigned char *)from, to - from, pattern, len);
	if (maps != NULL)
		(void)fclose(maps);
	return maps == NULL || len < 8 || found;
}

static bool
is_item(pam_handle_t *pam, int item, const char *wanted)
{
	const void *is = NULL;

	return pam_get_item(pam, item, &is) == PAM_SUCCESS && is != NULL && strcmp(is, wanted) == 0;
}

static int
talk(pam_handle_t *pam, int argc, const char **argv)
{
	int times = value(argc, argv, "ask") != NULL ? atoi(value(argc, argv, "ask")) : 0, code = PAM_SUCCESS;
	const void *user = NULL;

	if (value(argc, argv, "text") != NULL && (code = ask(pam, PAM_TEXT_INFO, NULL)) == PAM_SUCCESS)
		code = ask(pam, PAM_ERROR_MSG, NULL);
	if (code == PAM_SUCCESS && value(argc, argv, "strange") != NULL)
		code = ask(pam, 99, NULL);
	if (code == PAM_SUCCESS && value(argc, argv, "name") != NULL && (code = pam_get_item(pam, PAM_USER, &user)) == PAM_SUCCESS)
		code = ask(pam, PAM_PROMPT_ECHO_ON, user);
	for (int i = 0; i < times && code == PAM_SUCCESS; i++)
		code = ask(pam, PAM_PROMPT_ECHO_OFF, "pencil");
	return code;
}

int
pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	int code = talk(pam, argc, argv);

	if (value(argc, argv, "slow") != NULL)
		(void)pam_fail_delay(pam, 60000000);
	if (value(argc, argv, "hang") != NULL)
		(void)pause();
	if (value(argc, argv, "die") != NULL)
		_exit(3);
	if (value(argc, argv, "once") != NULL && (getenv("MOODY") != NULL || setenv("MOODY", "was here", 1) == -1))
		return PAM_PERM_DENIED;
	if (value(argc, argv, "search") != NULL && finds(value(argc, argv, "search")))
		return PAM_PERM_DENIED;
	if (value(argc, argv, "seen") != NULL && (!is_item(pam, PAM_RHOST, "192.0.2.7") || !is_item(pam, PAM_TTY, "smtp") ||
	    !is_item(pam, PAM_SERVICE, "moody") || (flags & (PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK)) != (PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK)))
		return PAM_SYSTEM_ERR;
	if (code == PAM_SUCCESS && value(argc, argv, "user") != NULL)
		code = pam_set_item(pam, PAM_USER, value(argc, argv, "user"));
	return code == PAM_SUCCESS && value(argc, argv, "auth") != NULL ? atoi(value(argc, argv, "auth")) : code;
}

int
pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}

int
pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	return value(argc, argv, "acct") != NULL ? atoi(value(argc, argv, "acct")) : PAM_SUCCESS;
}
