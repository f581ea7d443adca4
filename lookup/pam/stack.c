/* stack — see stack.h; the calls are Linux-PAM's, pam(3). */
#include "lookup/pam/stack.h"

#include <security/pam_appl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/sockaddr.h"

#define FLAGS	(PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK)

struct talk {
	const char	*login;
	bool		 told;		/* the password: no module has a use for it twice but to ask for another one */
	char		 password[PASSWORD_MAX + 1];
};

int
stack_init(struct stack *stack, const char *service, struct err *err)
{
	const char *slash = strrchr(service, '/'), *name = slash == NULL ? service : slash + 1;
	size_t len = (size_t)(name - service);

	*stack = (struct stack){ 0 };
	if (strlen(name) > STACK_NAME_MAX || len >= sizeof(stack->directory))
		return err_set(err, "the name of the PAM service is too long");
	memcpy(stack->name, name, strlen(name));
	memcpy(stack->directory, service, len);
	return 0;
}

/* --- what its codes mean ------------------------------------------------------------------------ */

/* Of the user or of what he said: they count as failures. CONV_ERR is a module that wants a second answer, which may be because the
 * first was wrong; as trouble it could be guessed at without end. */
static const struct {
	int		 code;
	const char	*why;
} failures[] = {
	{ PAM_AUTH_ERR,			"authentication failure" },
	{ PAM_USER_UNKNOWN,		"authentication failure, PAM does not know the user" },
	{ PAM_MAXTRIES,			"authentication failure, PAM counts too many tries" },
	{ PAM_PERM_DENIED,		"PAM does not permit it" },
	{ PAM_ACCT_EXPIRED,		"the account has expired" },
	{ PAM_NEW_AUTHTOK_REQD,		"the password has expired" },
	{ PAM_AUTHTOK_EXPIRED,		"the password has expired" },
	{ PAM_CRED_EXPIRED,		"the credentials have expired" },
	{ PAM_CONV_ERR,			"authentication failure, PAM asks for more than a password" },
	{ PAM_CONV_AGAIN,		"authentication failure, PAM asks for more than a password" },
	{ PAM_INCOMPLETE,		"authentication failure, PAM asks for more than a password" },
};

enum sasl_result
stack_verdict(int code, const char **why)
{
	*why = "";
	if (code == PAM_SUCCESS)
		return SASL_OK;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].code == code) {
			*why = failures[i].why;
			return SASL_FAILED;
		}
	*why = "PAM cannot tell now";
	return SASL_TROUBLE;
}

/* --- what it asks ------------------------------------------------------------------------------- */

/* The answer to one message, for PAM to free: NULL where none is wanted. A code of PAM's. */
static int
answer(struct talk *talk, int style, char **out)
{
	const char *text = NULL;

	*out = NULL;
	switch (style) {
	case PAM_PROMPT_ECHO_OFF:
		if (talk->told)
			return PAM_CONV_ERR;
		talk->told = true;
		text = talk->password;
		break;
	case PAM_PROMPT_ECHO_ON:
		text = talk->login;
		break;
	case PAM_TEXT_INFO:
	case PAM_ERROR_MSG:
		return PAM_SUCCESS;
	default:
		return PAM_CONV_ERR;
	}
	*out = mem_dup(text, strlen(text) + 1);
	return *out == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

static void
answers_free(struct pam_response *answers, int count)
{
	for (int i = 0; i < count; i++) {
		if (answers[i].resp != NULL)
			explicit_bzero(answers[i].resp, strlen(answers[i].resp));
		mem_free(answers[i].resp);
	}
	mem_free(answers);
}

/* pam_conv(3). What it gives is freed by PAM with free(3), as mem_free does. */
static int
converse(int count, const struct pam_message **messages, struct pam_response **out, void *arg)
{
	struct pam_response *answers;
	int code = PAM_SUCCESS;

	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	if ((answers = mem_array((size_t)count, sizeof(*answers))) == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count && code == PAM_SUCCESS; i++)
		code = answer(arg, messages[i]->msg_style, &answers[i].resp);
	if (code == PAM_SUCCESS)
		*out = answers;
	else
		answers_free(answers, count);
	return code;
}

/* --- one login ---------------------------------------------------------------------------------- */

/* The gate holds failures back, and nobody else while it does. */
static void
no_delay(int code, unsigned usec, void *arg)
{
	(void)code;
	(void)usec;
	(void)arg;
}

/* Without a file of the service PAM would take that of "other", which nobody has named. */
static bool
has_file(const struct stack *stack, const char *directory)
{
	char path[sizeof(stack->directory) + sizeof(stack->name)];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, stack->name);
	return stat(path, &st) == 0;
}

static bool
exists(const struct stack *stack)
{
	if (stack->directory[0] != '\0')
		return has_file(stack, stack->directory);
	return has_file(stack, "/etc/pam.d") || has_file(stack, "/usr/lib/pam.d");
}

static int
set_items(pam_handle_t *pam, struct slice client)
{
	struct sockaddress address;
	char text[SOCKADDRESS_TEXT];
	int code;

	sockaddress_of_bytes(client, &address);
	code = pam_set_item(pam, PAM_RHOST, sockaddress_print(&address, text));
	if (code == PAM_SUCCESS)
		code = pam_set_item(pam, PAM_TTY, "smtp");
	if (code == PAM_SUCCESS)
		code = pam_set_item(pam, PAM_FAIL_DELAY, (const void *)no_delay);
	return code;
}

/* PAM may know the user by another name than the client does. */
static int
take_login(pam_handle_t *pam, struct sasl_answer *out)
{
	const void *user = NULL;
	int code = pam_get_item(pam, PAM_USER, &user);

	if (code != PAM_SUCCESS)
		return code;
	if (user == NULL || !sasl_is_login(slice_str(user)))
		return PAM_SYSTEM_ERR;
	(void)sasl_take_login(out, slice_str(user));
	return PAM_SUCCESS;
}

static int
run(const struct stack *stack, struct slice client, struct talk *talk, struct sasl_answer *out)
{
	const struct pam_conv conv = { converse, talk };
	pam_handle_t *pam = NULL;
	int code;

	code = pam_start_confdir(stack->name, talk->login, &conv, stack->directory[0] != '\0' ? stack->directory : NULL, &pam);
	if (code != PAM_SUCCESS)
		return code;
	code = set_items(pam, client);
	if (code == PAM_SUCCESS)
		code = pam_authenticate(pam, FLAGS);
	if (code == PAM_SUCCESS)
		code = pam_acct_mgmt(pam, FLAGS);
	if (code == PAM_SUCCESS)
		code = take_login(pam, out);
	(void)pam_end(pam, code);
	return code;
}

void
stack_judge(void *arg, const struct sasl_said *said, struct slice password, struct sasl_answer *out)
{
	const struct stack *stack = arg;
	char login[AUTH_LOGIN_MAX + 1];
	struct talk talk = { .login = login };
	int code;

	(void)strlcpy(login, out->login, sizeof(login));
	memcpy(talk.password, password.p, password.len);	/* sasl.c: no NUL, PASSWORD_MAX at most */
	if (!exists(stack)) {
		log_error("nobody can log in: there is no PAM service %s", stack->name);
		out->result = SASL_TROUBLE;
		out->why = "there is no such PAM service";
	} else {
		code = run(stack, said->client, &talk, out);
		out->result = stack_verdict(code, &out->why);
		if (out->result == SASL_TROUBLE)
			log_error("PAM service %s: %s", stack->name, pam_strerror(NULL, code));
	}
	explicit_bzero(&talk, sizeof(talk));
}
