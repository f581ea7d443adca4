/* test_crc32c — the vectors of RFC 3720 B.4, and pieces of every length. */
#include "tests/support/testing.h"

#include "base/crc32c.h"

static void
test_rfc3720(void **state)
{
	static const unsigned char read_pdu[48] = {
		0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
		0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
	};
	unsigned char zeros[32], ones[32], up[32], down[32];

	(void)state;
	for (int i = 0; i < 32; i++) {
		zeros[i] = 0;
		ones[i] = 0xff;
		up[i] = (unsigned char)i;
		down[i] = (unsigned char)(31 - i);
	}
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
	assert_int_equal(crc32c(0, down, 32), 0x113fdb5c);
	assert_int_equal(crc32c(0, read_pdu, 48), 0xd9963a56);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

/* However the bytes are cut, and wherever they begin in memory. */
static void
test_pieces(void **state)
{
	unsigned char bytes[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t begin = 0; begin < 9; begin++) {
		uint32_t whole = crc32c(0, bytes + begin, 80);

		for (size_t cut = 0; cut <= 80; cut++) {
			uint32_t crc = crc32c(0, bytes + begin, cut);

			assert_int_equal(crc32c(crc, bytes + begin + cut, 80 - cut), whole);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rfc3720), cmocka_unit_test(test_pieces) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
