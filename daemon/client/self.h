/* This child of Apache's as the board knows it: how others find out that it is dead (board.h, mwd_children). */
#ifndef MWD_SELF_H
#define MWD_SELF_H

#include "../seats.h"
#include "client.h"

/* What stands in mwd_seat.owner for this child. The first call enters it; it may take a moment, and can't fail: see MWD_NO_WORD. */
uint64_t mwd_self_owner(struct mwd_self *self);

#endif
