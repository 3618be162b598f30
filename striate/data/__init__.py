"""Classification data: folders of pictures and well-known sets, as arrays of uint8."""

from striate.data.finding import BUILT_IN, native_shape
from striate.data.folders import Listing, find_pictures, scan
from striate.data.parts import Part
from striate.data.pictures import (
    MAX_PIXELS,
    Preprocess,
    UnreadablePicture,
    picture_shape,
    read_picture,
)
from striate.data.sets import DataSet, open_data
from striate.data.split import SplitAssignment, read_split, write_split

__all__ = [
    "BUILT_IN",
    "MAX_PIXELS",
    "DataSet",
    "Listing",
    "Part",
    "Preprocess",
    "SplitAssignment",
    "UnreadablePicture",
    "find_pictures",
    "native_shape",
    "open_data",
    "picture_shape",
    "read_picture",
    "read_split",
    "scan",
    "write_split",
]
