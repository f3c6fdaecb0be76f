"""What computing needs: devices, processes, seeds, files, progress; and how a method is applied to a batch."""

from . import distributed as distributed
from .apply import (
    draw_padded as draw_padded,
    evaluating as evaluating,
    inpaint_padded as inpaint_padded,
    pad_by_reflection as pad_by_reflection,
    random_numbers as random_numbers,
    round_up as round_up,
)
from .devices import pick_device as pick_device, pick_precision as pick_precision
from .distributed import average_gradients as average_gradients, per_image as per_image
from .execution import Execution as Execution, whole_number as whole_number
from .files import (
    LOCK as LOCK,
    file_lock as file_lock,
    new_folder as new_folder,
    open_regular as open_regular,
    remove_unfinished as remove_unfinished,
    sole_use as sole_use,
    write_atomically as write_atomically,
)
from .json_files import (
    parse_json as parse_json,
    read_limited as read_limited,
    read_sealed as read_sealed,
    require_regular as require_regular,
    sealed as sealed,
)
from .memory import PeakMemory as PeakMemory
from .pixels import to_float as to_float, to_uint8 as to_uint8
from .progress import RunProgress as RunProgress, progress_bar as progress_bar, report_progress as report_progress
from .seeds import generator as generator, seed_of as seed_of
from .sheets import (
    HOLE_GRAY as HOLE_GRAY,
    Pixels as Pixels,
    evenly_spaced as evenly_spaced,
    picture_grid as picture_grid,
    png as png,
    sample_sheet as sample_sheet,
    sheet as sheet,
)
from .signals import stop_signals as stop_signals
from .tensors import key_difference as key_difference, read_tensors as read_tensors
