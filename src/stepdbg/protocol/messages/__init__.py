"""Every message that crosses a process border, as frozen, typed, tagged structs.

Four directions, a union each: `FromRank` and `ToRank` between a training process and the hub, `FromClient` and
`ToClient` between a screen (or a headless command) and the hub. A question (`Ask`) travels from a client through the
hub to a rank, which answers in its training thread; the hub matches `Answer` to `Ask` by its number.

Field names are the words of the design: a *boundary* is the moment between the phase `done` and the phase `next`.
"""

from stepdbg.protocol.messages.bad_values import *
from stepdbg.protocol.messages.base import *
from stepdbg.protocol.messages.breakpoints import *
from stepdbg.protocol.messages.console import *
from stepdbg.protocol.messages.edits import *
from stepdbg.protocol.messages.effects import *
from stepdbg.protocol.messages.findings import *
from stepdbg.protocol.messages.foresight import *
from stepdbg.protocol.messages.graph import *
from stepdbg.protocol.messages.identity import *
from stepdbg.protocol.messages.images import *
from stepdbg.protocol.messages.objects import *
from stepdbg.protocol.messages.optimizers import *
from stepdbg.protocol.messages.past import *
from stepdbg.protocol.messages.stops import *
from stepdbg.protocol.messages.tensors import *
from stepdbg.protocol.messages.watches import *

# isort: split
# These are made of all that is defined above.
from stepdbg.protocol.messages.asking import *
from stepdbg.protocol.messages.ranks import *

# isort: split
from stepdbg.protocol.messages.clients import *
from stepdbg.protocol.messages.version import *
