/* notify — see notify.h. Pure. */
#include "mail/notify.h"

bool
notify_valid(uint32_t notify)
{
	const uint32_t news = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;

	return notify == NOTIFY_NEVER || (notify & ~news) == 0;
}

bool
notify_wants(uint32_t notify, uint32_t what)
{
	if (notify == 0)
		return what != NOTIFY_SUCCESS;
	return (notify & what) != 0;
}
