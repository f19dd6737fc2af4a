"""What a script can see of the interpreter that runs it."""

import gc
import os
import pickle
import signal
import sys
import threading
import warnings

import torch
from digest import report
from torch import nn


class Net(nn.Linear):
    pass


def facts():
    print(__name__, os.path.basename(__file__), len(sys.argv), sys.path, os.getcwd(), sys.stdin.read())
    print(threading.active_count(), threading.current_thread().name, gc.callbacks, gc.isenabled(), warnings.filters)
    print(sys.gettrace(), sys.getprofile(), [type(finder).__name__ for finder in sys.meta_path], len(sys.path_hooks))
    print([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)])
    print(pickle.loads(pickle.dumps(Net)) is Net, Net.__module__, torch.get_num_threads(), torch.is_grad_enabled())
    print(sorted(globals()))


torch.manual_seed(59)
model = Net(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
facts()
for i in range(2):
    optimizer.zero_grad()
    loss = model(torch.randn(4, 3)).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
facts()
report(model, optimizer)
