#ifndef TEST_LOOKUP_MOODY_H
#define TEST_LOOKUP_MOODY_H
/* moody — services for tests whose only module is pam_moody.so, which lies beside the test's program. */

#define MOODY_MASK	0x55	/* what search= changes its bytes by, so that they are nowhere as they are */

/* Writes the service "moody" into `base`, with these arguments of the module, and gives "base/moody" in `out`. */
const char	*moody_service(const char *base, const char *arguments, char out[512]);

#endif
